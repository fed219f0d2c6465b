// The agent's local API, as the page that the agent served may use it: same origin, a token for this browser.

import type { Operations, RoostEvent } from "./types";

export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export interface Session {
  token: string;
  files: string;
}

const KEPT = "roost.session";

/** The code from the address, taken out of it at once; it works only once. */
function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) history.replaceState(null, "", location.pathname);
  return code;
}

/** This browser's session: exchanged for the code in the address, or kept from before. Null: neither works. */
export async function openSession(): Promise<Session | null> {
  const code = takeCode();
  if (code !== null) {
    const answer = await fetch("/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
    });
    if (answer.ok) {
      const session = (await answer.json()) as Session;
      localStorage.setItem(KEPT, JSON.stringify(session));
      return session;
    }
  }
  const kept = localStorage.getItem(KEPT);
  if (kept === null) return null;
  try {
    const session = JSON.parse(kept) as Session;
    const answer = await fetch("/openapi.json", { headers: { Authorization: `Bearer ${session.token}` } });
    return answer.ok ? session : null;
  } catch {
    return null;
  }
}

/** What is here of an upload; `path` once it is whole. */
export interface Received {
  received: number;
  path?: string;
  size?: number;
}

export class Client {
  constructor(private readonly session: Session) {}

  async call<N extends keyof Operations>(name: N, request: Operations[N][0]): Promise<Operations[N][1]> {
    let answer: Response;
    try {
      answer = await fetch(`/v1/${name}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.session.token}` },
        body: JSON.stringify(request),
      });
    } catch {
      throw new ApiError("agent_gone", "Roost is not running on this computer.", "", 0);
    }
    const body: unknown = await answer.json().catch(() => null);
    if (answer.ok) return body as Operations[N][1];
    const said = (body as { error?: { code?: string; message?: string; hint?: string } } | null)?.error;
    throw new ApiError(said?.code ?? "unknown", said?.message ?? answer.statusText, said?.hint ?? "", answer.status);
  }

  /** Events until the returned function is called or the connection ends (`onEnd`). */
  events(onEvent: (event: RoostEvent) => void, onOpen: () => void, onEnd: () => void): () => void {
    const socket = new WebSocket(`ws://${location.host}/v1/events`, ["roost", `token.${this.session.token}`]);
    socket.onopen = onOpen;
    socket.onmessage = (message: MessageEvent<string>) => onEvent(JSON.parse(message.data) as RoostEvent);
    socket.onclose = onEnd;
    return () => {
      socket.onclose = null;
      socket.close();
    };
  }

  /** A small file in one piece; `picture`: without what the camera wrote beside it. */
  upload(file: File, picture: boolean, onProgress: (bytes: number) => void): { done: Promise<{ path: string; size: number }> } {
    const query = new URLSearchParams({ name: file.name || "file", picture: picture ? "1" : "0" });
    const done = this.uploadPiece(query, file, new AbortController().signal, onProgress);
    return { done: done.then(({ path = "", size = 0 }) => ({ path, size })) };
  }

  /** How much of an upload the agent has. */
  async uploaded(id: string): Promise<Received> {
    let answer: Response;
    try {
      answer = await fetch(`/v1/upload?id=${id}`, { headers: { Authorization: `Bearer ${this.session.token}` } });
    } catch {
      throw new ApiError("agent_gone", "Roost is not running on this computer.", "", 0);
    }
    if (!answer.ok) throw new ApiError("upload_failed", "The file could not be taken.", "", answer.status);
    return (await answer.json()) as Received;
  }

  /** Hand a piece of a file to the agent (state/upload.ts has the whole). */
  uploadPiece(query: URLSearchParams, piece: Blob, signal: AbortSignal, onProgress: (bytes: number) => void): Promise<Received> {
    const request = new XMLHttpRequest();
    return new Promise<Received>((resolve, reject) => {
      const stop = (): void => request.abort();
      signal.addEventListener("abort", stop, { once: true });
      request.open("POST", `/v1/upload?${query.toString()}`);
      request.setRequestHeader("Authorization", `Bearer ${this.session.token}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (event) => onProgress(event.loaded);
      request.onload = () => {
        signal.removeEventListener("abort", stop);
        if (request.status === 200) resolve(JSON.parse(request.responseText) as Received);
        else reject(refused(request));
      };
      request.onerror = () => reject(new ApiError("agent_gone", "Roost is not running on this computer.", "", 0));
      request.onabort = () => reject(new ApiError("cancelled", "", "", 0));
      if (signal.aborted) stop();
      else request.send(piece);
    });
  }

  fileUrl(message: string, number: number, name: string, save = false): string {
    const path = `/files/${this.session.files}/${message}/${number}/${encodeURIComponent(name.replace(/[/\\]/g, "_") || "file")}`;
    return save ? `${path}?save=1` : path;
  }

  /** A small picture of an attachment that is one, made by the agent. */
  previewUrl(message: string, number: number): string {
    return `/files/${this.session.files}/${message}/${number}/preview?preview=1`;
  }

  pictureUrl(account: string, version: string): string {
    return `/files/${this.session.files}/picture/${account}/${version}`;
  }
}

function refused(request: XMLHttpRequest): ApiError {
  try {
    const { error } = JSON.parse(request.responseText) as { error: { code: string; message: string; hint: string } };
    return new ApiError(error.code, error.message, error.hint, request.status);
  } catch {
    return new ApiError("upload_failed", "The file could not be taken.", "", request.status);
  }
}
