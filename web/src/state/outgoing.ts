// Messages on their way into the outbox: shown at once, before the agent has answered.

import { type UploadHandle, ApiError } from "../api/client";
import type { Message } from "../api/types";
import type { Roost } from "./roost";
import { Store } from "./store";
import { notify } from "./toasts";

export interface PendingFile {
  name: string;
  size: number;
  share: number;
}

export interface Pending {
  key: string;
  conversation: string;
  text: string;
  replyTo: string | null;
  sentAt: string;
  files: PendingFile[];
  cancel: (() => void) | null;
}

export class Outgoing {
  readonly pending = new Store<Pending[]>([]);
  private readonly taken = new Set<string>();

  constructor(private readonly roost: Roost) {}

  /** Whether this message is one that is shown as pending still. */
  knows(conversation: string, message: Message): boolean {
    return (
      this.taken.has(message.id) ||
      this.pending.get().some((row) => row.conversation === conversation && row.text === message.text)
    );
  }

  async send(conversation: string, text: string, replyTo: string | null, files: File[], asPictures: boolean): Promise<void> {
    const key = crypto.randomUUID();
    const uploads: UploadHandle[] = [];
    const row: Pending = {
      key,
      conversation,
      text,
      replyTo,
      sentAt: new Date().toISOString(),
      files: files.map((file) => ({ name: file.name, size: file.size, share: 0 })),
      cancel: files.length > 0 ? () => uploads.forEach((upload) => upload.cancel()) : null,
    };
    this.pending.update((rows) => [...rows, row]);
    const paths: string[] = [];
    try {
      for (const [index, file] of files.entries()) {
        const picture = asPictures && file.type.startsWith("image/");
        const upload = this.roost.client.upload(file, picture, (share) => this.progress(key, index, share));
        uploads.push(upload);
        paths.push((await upload.done).path);
      }
      const request = { conversation, text, files: paths, key, ...(replyTo === null ? {} : { reply_to: replyTo }) };
      const sent = await this.roost.client.call("send", request);
      this.taken.add(sent.id);
      const message = await this.roost.client.call("show", { id: sent.id });
      this.roost.thread(conversation).append(message);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "cancelled")) {
        notify(error instanceof Error ? error.message : String(error), "error");
      }
    } finally {
      this.pending.update((rows) => rows.filter((held) => held.key !== key));
      if (paths.length > 0) void this.roost.client.call("upload-drop", { paths }).catch(() => undefined);
      this.roost.refreshConversations();
    }
  }

  private progress(key: string, index: number, share: number): void {
    this.pending.update((rows) =>
      rows.map((row) =>
        row.key === key
          ? { ...row, files: row.files.map((file, at) => (at === index ? { ...file, share } : file)) }
          : row,
      ),
    );
  }
}
