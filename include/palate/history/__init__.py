"""The past looked at again, or built anew."""
