"""Fragments of HTML about a checked spec, and the page that holds them.

Each file answers one question of a reader: `verdicts`, `findings`, `picture`, `tree`, `masks`, `relations`, `costs`.
A fragment is a function of a `Report` or of plain data, and returns HTML without headings, scripts or references to
other files; `page` puts fragments under headings, with the style. `markup` escapes all text.
"""
