"""The web app's Python side: serving the built page, and `roost` without arguments. Its sources are in web/."""
