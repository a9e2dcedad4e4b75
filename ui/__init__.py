"""What the pages share. Streamlit is known here and in the pages, nowhere else."""
