"""Arguments that users give: their kinds, and how those that do not fit are refused."""
