"""What pages draw; only views and pages import streamlit."""
