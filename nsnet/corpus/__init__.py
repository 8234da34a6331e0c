"""From folders of pictures to the tables images, samples and duplicates; versions and audit of what was found."""
