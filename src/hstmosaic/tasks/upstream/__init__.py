"""Repairs of drizzlepac and its dependencies, by stage of a run; `repairs` lists all of them.

Functions here replace attributes of drizzlepac's modules in the process of one task. The installed package stays as it
is. Each repair has a test that fails when drizzlepac no longer needs it.
"""
