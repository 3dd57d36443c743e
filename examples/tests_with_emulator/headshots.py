"""A program to test: a headshot for every portrait in a folder. It knows nothing of the emulator."""

from pathlib import Path

from magic_hour_workflows import Client
from magic_hour_workflows.errors import JobFailed


def make_headshots(portraits: Path, outputs: Path) -> list[str]:
    """Save a headshot for each portrait; returns the names of the portraits that the service could not use."""
    failed = []
    with Client() as client:
        for portrait in sorted(portraits.glob("*.jpg")):
            try:
                client.v1.ai_headshot_generator.generate(
                    assets={"image_file_path": portrait}, download_directory=outputs, output_name=portrait.stem
                )
            except JobFailed:
                failed.append(portrait.name)
    return failed
