"""A video from a prompt. Costs at least 24 credits for each second, depending on the model and the resolution.

    python examples/text_to_video.py "A dog running on a beach" --seconds 5

The video is saved in outputs/.
"""

import argparse
import sys

from magic_hour_workflows import Client, MagicHourError, estimate_credits


def main() -> None:
    parser = argparse.ArgumentParser(description="A video from a prompt.")
    parser.add_argument("prompt")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of the video (default: 5)")
    arguments = parser.parse_args()
    try:
        print(f"this will cost {estimate_credits('text_to_video', end_seconds=arguments.seconds)}")
        with Client() as client:
            result = client.v1.text_to_video.generate(
                end_seconds=arguments.seconds,
                style={"prompt": arguments.prompt},
                download_directory="outputs",
            )
    except MagicHourError as error:
        sys.exit(f"text_to_video.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
