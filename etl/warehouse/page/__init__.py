"""The page people open: one HTML file made of the published warehouse, with nothing to load from anywhere.

One module a tab: each reads its frames (`read`) and says what is drawn of them (`panels`). The frames go into the page
as they are in the marts; `assets/` adds them up for the chosen period, platform, country, channel and model, so that
the chart, the table behind it, its CSV and the sentence above it are made of the same rows.
"""
