"""The judge behind HTTP: what goes over the wire (`wire`), the server (`server`), and the client (`client`).

A client is asked as a `Judge` is (`submit`, `ajudge`), so that whoever judges need not know where.
"""
