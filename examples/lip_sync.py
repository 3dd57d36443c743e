"""A video in which a person says what is in a sound file. Costs 24 credits for each second.

    python examples/lip_sync.py clip.mp4 voice.mp3 --seconds 2

The mode `pro` costs twice as much, and a video with more than 24 frames per second costs more. The result is saved in
outputs/.
"""

import argparse
import sys

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="A video whose lips follow a sound.")
    parser.add_argument("video")
    parser.add_argument("sound")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of the video to use (default: 2)")
    parser.add_argument("--mode", choices=["lite", "standard", "pro"], default="lite")
    arguments = parser.parse_args()
    try:
        with Client() as client:
            result = client.v1.lip_sync.generate(
                assets={"video_file_path": arguments.video, "audio_file_path": arguments.sound},
                start_seconds=0,
                end_seconds=arguments.seconds,
                style={"generation_mode": arguments.mode},
                download_directory="outputs",
            )
    except MagicHourError as error:
        sys.exit(f"lip_sync.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
