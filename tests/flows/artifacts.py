"""Read from Prefect's server what is shown on the pages of flow runs."""

import asyncio


def all_artifacts():
    """Return every artifact there is."""
    from prefect.client.orchestration import get_client  # seconds, for these tests alone

    async def read():
        async with get_client() as client:
            return await client.read_artifacts()

    return asyncio.run(read())


def newest_artifacts():
    """Return the newest artifact of each key."""
    return {a.key: a for a in sorted(all_artifacts(), key=lambda a: a.created)}
