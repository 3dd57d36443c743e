"""A video in which a portrait speaks what is in a sound file. Costs 48 credits for each second.

    python examples/talking_photo.py portrait.jpg voice.mp3 --seconds 2.5

It prints the cost beforehand, stops if that exceeds the budget, and shows progress: a video takes minutes.
"""

import argparse
import sys

from magic_hour_workflows import Client, Event, MagicHourError, estimate_credits
from magic_hour_workflows.events import Created, StatusChanged


def show(event: Event) -> None:
    match event:
        case Created(id=id):
            print(f"job {id}; if this stops, continue with: python examples/resume.py video {id}")
        case StatusChanged(status=status, elapsed=elapsed):
            print(f"{status} after {elapsed:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description="A video in which a portrait speaks.")
    parser.add_argument("portrait")
    parser.add_argument("sound")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of the sound to use (default: 2)")
    parser.add_argument("--budget", type=int, default=500, help="maximum cost (default: 500 credits)")
    arguments = parser.parse_args()
    try:
        price = estimate_credits("ai_talking_photo", start_seconds=0, end_seconds=arguments.seconds)
        print(f"this will cost {price}")
        if price.credits > arguments.budget:
            sys.exit(f"talking_photo.py: over the budget of {arguments.budget} credits; nothing was sent")
        with Client() as client:
            result = client.v1.ai_talking_photo.generate(
                assets={"image_file_path": arguments.portrait, "audio_file_path": arguments.sound},
                start_seconds=0,
                end_seconds=arguments.seconds,
                download_directory="outputs",
                on_progress=show,
            )
    except MagicHourError as error:
        sys.exit(f"talking_photo.py: {error}")
    print(result.downloaded_paths[0])


if __name__ == "__main__":
    main()
