"""One file per page: guards, then its parts from top to bottom.

Not beside app.py: until st.navigation is called for the first time, Streamlit would take a folder named
pages there for pages of their own, and show them without app.py's notice.
"""
