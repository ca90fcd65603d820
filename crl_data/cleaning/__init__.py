"""Cleaning: which problems stand twice, and which are questions of a benchmark. It says so; what is set aside, a build decides.

text           the words of a question: what is compared, pinned and versioned
duplicates     exact and near duplicates of problems, within and across sources
benchmarks     the questions of named benchmarks, read from files in their published forms
contamination  which problems share what with which questions
"""
