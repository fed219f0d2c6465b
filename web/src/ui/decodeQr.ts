// Loaded only when somebody scans: the decoder is larger than the rest of that view.

import { decodeQR } from "qr/decode.js";

/** The text of the QR code in a picture, or null where none is found. */
export function decode(picture: ImageData): string | null {
  try {
    return decodeQR({ width: picture.width, height: picture.height, data: picture.data });
  } catch {
    return null;
  }
}
