"""From a picture to what a detector is shown: patch selection, views, backbone features, and their store."""
