"""A video in which a face is replaced by that of a portrait. Costs 24 credits for each second.

    python examples/face_swap.py clip.mp4 portrait.jpg --seconds 2

A video with more than 24 frames per second costs more. The result is saved in outputs/.
"""

import argparse
import sys

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="A video with the face of a portrait.")
    parser.add_argument("video")
    parser.add_argument("portrait")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of the video to use (default: 2)")
    arguments = parser.parse_args()
    try:
        with Client() as client:
            result = client.v1.face_swap.generate(
                assets={"video_file_path": arguments.video, "image_file_path": arguments.portrait},
                start_seconds=0,
                end_seconds=arguments.seconds,
                download_directory="outputs",
            )
    except MagicHourError as error:
        sys.exit(f"face_swap.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
