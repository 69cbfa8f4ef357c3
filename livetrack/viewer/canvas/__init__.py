"""The pixels: image, markers, trails and what is drawn over them."""
