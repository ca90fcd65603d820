"""Records in the formats of other people's programs. One module a format; each reads only what a build left behind."""
