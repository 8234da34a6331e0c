"""The command `nsnet`."""
