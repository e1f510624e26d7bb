"""What a full run measures, one module for each table. Each has `async def run(bench: Bench) -> list[Section]`."""
