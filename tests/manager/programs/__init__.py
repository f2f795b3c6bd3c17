"""Programs that grew from the tutorial's class, each before and after `from hubbub import ConnectionManager`.

Each file has the program's own class and its application (`before`), the same application with
Hubbub's class (`after`), what its clients do (`play`), and what they must experience (`EXPECTED`).
"""
