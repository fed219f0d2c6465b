// A file on its way from the browser to the agent: in pieces, so that a connection that breaks costs one piece at most.

import { ApiError, type Client } from "../api/client";

const PIECE = 4 * 2 ** 20;
const RETRY_MS = [300, 1000, 2000, 5000];

export interface UploadOf {
  id: string;
  file: File;
  picture: boolean;
}

export function newUploadId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** The agent's path of the file, once it is there. Goes on where it was cut off, as long as `signal` lets it. */
export async function upload(client: Client, { id, file, picture }: UploadOf, signal: AbortSignal, onShare: (share: number) => void): Promise<string> {
  const told = (bytes: number): void => onShare(file.size === 0 ? 1 : Math.min(1, bytes / file.size));
  return patiently(signal, async () => {
    let { received, path } = await client.uploaded(id);
    told(received);
    while (path === undefined) {
      const query = new URLSearchParams({ id, name: file.name || "file", picture: picture ? "1" : "0", offset: String(received), size: String(file.size) });
      const at = received;
      ({ received, path } = await client.uploadPiece(query, file.slice(at, at + PIECE), signal, (bytes) => told(at + bytes)));
      told(received);
    }
    return path;
  });
}

/** Again and again while the agent cannot be reached. */
export async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError) || !mayPass(error)) throw error;
      await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 5000, signal);
    }
  }
}

function mayPass(error: ApiError): boolean {
  return error.code === "agent_gone" || error.code === "wrong_offset";
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { window.clearTimeout(timer); reject(new ApiError("cancelled", "", "", 0)); }, { once: true });
  });
}
