// Messages on their way into the outbox: shown at once, before the agent has answered. What has files is noted in the
// profile until it is sent, so that after a reload its upload goes on where it was; the files themselves are nowhere kept
// by the browser, so the person chooses them once more.

import { ApiError } from "../api/client";
import type { VoiceNote } from "../api/types";
import { parseMarkup, type Span } from "../ui/markup";
import type { Roost } from "./roost";
import { Store } from "./store";
import { notify } from "./toasts";
import { newUploadId, patiently, upload } from "./upload";

export interface PendingFile {
  id: string;
  name: string;
  size: number;
  picture: boolean;
  share: number;
}

export interface Pending {
  key: string;
  conversation: string;
  text: string;
  spans: Span[];
  replyTo: string | null;
  sentAt: string;
  files: PendingFile[];
  voice?: VoiceNote | undefined;
  /** Its files are not there any more: the window was closed or loaded again meanwhile. */
  interrupted: boolean;
}

export interface Saying {
  text?: string;
  replyTo?: string | null;
  files?: File[];
  voice?: VoiceNote;
}

const NOTE = "unsent.";
const LONGEST_NOTE = 120_000;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

export class Outgoing {
  readonly pending = new Store<Pending[]>([]);
  private readonly taken = new Map<string, string>();
  private readonly stops = new Map<string, AbortController>();
  private readonly held = new Map<string, Map<string, File>>();
  /** By conversation: the last message that was handed over, or is being. */
  private readonly handing = new Map<string, Promise<void>>();

  constructor(private readonly roost: Roost) {}

  /** The pending row's key that a sent message was shown under: what the list knows it by. */
  keyOf(id: string): string {
    return this.taken.get(id) ?? id;
  }

  /** Whether this message is one that is shown as pending still. */
  knows(conversation: string, text: string, id: string): boolean {
    return this.taken.has(id) || this.pending.get().some((row) => row.conversation === conversation && row.text === text);
  }

  async send(conversation: string, { text: typed = "", replyTo = null, files = [], voice }: Saying): Promise<void> {
    const { text, spans } = parseMarkup(typed);
    const row: Pending = {
      key: crypto.randomUUID(),
      conversation,
      text,
      spans,
      replyTo,
      sentAt: new Date().toISOString(),
      files: files.map((file) => ({ id: newUploadId(), name: file.name, size: file.size, picture: PICTURES.has(file.type), share: 0 })),
      voice,
      interrupted: false,
    };
    this.held.set(row.key, new Map(row.files.flatMap((file, index) => (files[index] ? [[file.id, files[index]]] : []))));
    this.pending.update((rows) => [...rows, row]);
    if (files.length > 0) await this.note(row);
    await this.deliver(row);
  }

  /** Files of an interrupted message, chosen once more. True: all are there, and it goes on. */
  resume(key: string, chosen: File[]): boolean {
    const row = this.pending.get().find((one) => one.key === key);
    if (row === undefined) return false;
    const files = this.held.get(key) ?? new Map<string, File>();
    this.held.set(key, files);
    for (const wanted of row.files) {
      const match = chosen.find((file) => file.name === wanted.name && file.size === wanted.size);
      if (match !== undefined) files.set(wanted.id, match);
    }
    if (row.files.some((file) => !files.has(file.id))) return false;
    this.change(key, (held) => ({ ...held, interrupted: false }));
    void this.deliver({ ...row, interrupted: false });
    return true;
  }

  cancel(key: string): void {
    this.stops.get(key)?.abort();
    const row = this.pending.get().find((one) => one.key === key);
    if (row?.interrupted) void this.forget(row);
  }

  /** What another life of this page began to send and did not finish. */
  async restore(): Promise<void> {
    const { values } = await this.roost.client.call("get-preferences", {});
    const begun = await navigator.locks.query();
    const elsewhere = new Set(begun.held?.map((lock) => lock.name));
    for (const [name, value] of Object.entries(values)) {
      const key = name.slice(NOTE.length);
      if (!name.startsWith(NOTE) || elsewhere.has(name) || this.pending.get().some((row) => row.key === key)) continue;
      const row = read(key, value);
      if (row === null) continue;
      for (const file of row.files) file.share = await this.share(file);
      this.pending.update((rows) => [...rows, row]);
    }
  }

  private async share(file: PendingFile): Promise<number> {
    const { received } = await this.roost.client.uploaded(file.id).catch(() => ({ received: 0 }));
    return file.size === 0 ? 0 : Math.min(1, received / file.size);
  }

  private async deliver(row: Pending): Promise<void> {
    const stop = new AbortController();
    this.stops.set(row.key, stop);
    try {
      const work = (): Promise<void> => this.uploadAndSend(row, stop.signal);
      await (row.files.length > 0 ? navigator.locks.request(NOTE + row.key, work) : work());
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "cancelled")) notify(error instanceof Error ? error.message : String(error), "error");
    } finally {
      this.stops.delete(row.key);
      await this.forget(row);
    }
  }

  private async uploadAndSend(row: Pending, signal: AbortSignal): Promise<void> {
    const { client } = this.roost;
    const paths: string[] = [];
    for (const { id, picture } of row.files) {
      const file = this.held.get(row.key)?.get(id);
      if (file === undefined) throw new ApiError("cancelled", "", "", 0);
      paths.push(await upload(client, { id, file, picture }, signal, (share) => this.progress(row.key, id, share)));
    }
    const { conversation, text, spans, key, replyTo, voice } = row;
    const request = { conversation, text, spans, files: paths, key, ...(replyTo === null ? {} : { reply_to: replyTo }), ...(voice ? { voice } : {}) };
    await this.inTurn(conversation, async () => {
      if (signal.aborted) throw new ApiError("cancelled", "", "", 0);
      const sent = await patiently(signal, () => client.call("send", request)); // the key makes it happen once
      this.taken.set(sent.id, key);
      await this.roost.thread(conversation).fetch(sent.id, () => {
        this.drop(key);
        return true;
      });
    });
  }

  /** One after the other: what was written first is said first. */
  private async inTurn(conversation: string, hand: () => Promise<void>): Promise<void> {
    const turn = (this.handing.get(conversation) ?? Promise.resolve()).then(hand, hand);
    this.handing.set(conversation, turn);
    await turn;
  }

  private drop(key: string): void {
    this.pending.update((rows) => rows.filter((held) => held.key !== key));
  }

  private async forget(row: Pending): Promise<void> {
    this.drop(row.key);
    this.held.delete(row.key);
    this.roost.refreshConversations();
    if (row.files.length === 0) return;
    const { client } = this.roost;
    await client.call("upload-drop", { ids: row.files.map((file) => file.id) }).catch(() => undefined);
    await client.call("set-preference", { name: NOTE + row.key, value: "" }).catch(() => undefined);
  }

  private async note(row: Pending): Promise<void> {
    const value = JSON.stringify(row);
    if (value.length > LONGEST_NOTE) return;
    await this.roost.client.call("set-preference", { name: NOTE + row.key, value }).catch(() => undefined);
  }

  private change(key: string, change: (row: Pending) => Pending): void {
    this.pending.update((rows) => rows.map((row) => (row.key === key ? change(row) : row)));
  }

  private progress(key: string, id: string, share: number): void {
    this.change(key, (row) => ({ ...row, files: row.files.map((file) => (file.id === id ? { ...file, share } : file)) }));
  }
}

function read(key: string, value: string): Pending | null {
  try {
    return { ...(JSON.parse(value) as Pending), key, interrupted: true };
  } catch {
    return null;
  }
}
