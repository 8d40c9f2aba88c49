"""What several pages draw; the only part of skin_ai that knows streamlit."""
