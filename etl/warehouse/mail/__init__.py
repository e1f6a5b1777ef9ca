"""The daily summary as a mail: what it says (`compose`), its pictures (`pictures`), and how it goes out (`post`)."""
