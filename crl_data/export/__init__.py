"""A built dataset in the formats of other people's programs. What a build left behind is read, and nothing is run.

files       writing the rows of a form, all files or none; what was left out, by reason
dataset     what the forms read: records, their splits, the texts that belong to them
verl        records as verl trains on them
tuning      cft, cgd, openai: texts to be imitated
pairs       a right answer above a wrong one
"""
