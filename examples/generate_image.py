"""Images from a prompt. Costs at least 5 credits for each image; some models and resolutions cost more.

    python examples/generate_image.py "A red fox in the snow" --count 2 --aspect-ratio 16:9

The images are saved in outputs/.
"""

import argparse
import sys

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="Images from a prompt.")
    parser.add_argument("prompt")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--aspect-ratio", choices=["1:1", "16:9", "9:16"], default="1:1")
    arguments = parser.parse_args()
    try:
        with Client() as client:
            result = client.v1.ai_image_generator.generate(
                image_count=arguments.count,
                aspect_ratio=arguments.aspect_ratio,
                style={"prompt": arguments.prompt},
                download_directory="outputs",
            )
    except MagicHourError as error:
        sys.exit(f"generate_image.py: {error}")
    for path in result.downloaded_paths:
        print(path)
    print(f"{result.credits_charged} credits")


if __name__ == "__main__":
    main()
