import type { Client } from "./client";

/** The profile's own picture; contacts are told. */
export async function setOwnPicture(client: Client, picture: File): Promise<void> {
  const { path } = await client.upload(picture, true, () => undefined).done;
  try {
    await client.call("about", { picture: path });
  } finally {
    await client.call("upload-drop", { paths: [path] }).catch(() => undefined);
  }
}
