// The part of one conversation's history that is on screen or near it: a window that grows in both directions.

import type { Client } from "../api/client";
import type { HistoryPage, Message } from "../api/types";
import { Store } from "./store";

const PAGE = 60;
const LONGEST = 600; // messages held while scrolling back; what is newer comes again on the way down

export interface ThreadState {
  messages: Message[];
  replied: Record<string, Message>;
  earlier: boolean;
  later: boolean;
  loaded: boolean;
  /** The first message that was unread when the conversation was opened. */
  unreadFrom: string;
}

const EMPTY: ThreadState = { messages: [], replied: {}, earlier: false, later: false, loaded: false, unreadFrom: "" };

export class Thread {
  readonly state = new Store<ThreadState>(EMPTY);
  private busy = false;

  constructor(
    private readonly client: Client,
    readonly conversation: string,
  ) {}

  async open(around?: string, unreadFrom = ""): Promise<void> {
    const page = await this.client.call("history", {
      conversation: this.conversation,
      limit: PAGE,
      ...(around ? { around } : {}),
    });
    this.state.set({ ...EMPTY, ...this.joined(page, page.messages), ...flags(page), loaded: true, unreadFrom });
  }

  async openAt(time: Date): Promise<string> {
    const page = await this.client.call("history", { conversation: this.conversation, at: time.toISOString(), limit: PAGE });
    this.state.set({ ...EMPTY, ...this.joined(page, page.messages), ...flags(page), loaded: true });
    return page.messages.find((message) => new Date(message.sent_at) >= time)?.id ?? page.messages.at(-1)?.id ?? "";
  }

  async loadEarlier(): Promise<void> {
    const { messages, earlier } = this.state.get();
    const first = messages[0];
    if (this.busy || !earlier || first === undefined) return;
    await this.load(async () => {
      const page = await this.client.call("history", { conversation: this.conversation, before: first.id, limit: PAGE });
      this.state.update((now) => {
        const all = [...page.messages, ...now.messages];
        const cut = all.length > LONGEST;
        return { ...now, ...this.joined(page, cut ? all.slice(0, LONGEST - PAGE) : all), earlier: page.earlier, later: now.later || cut };
      });
    });
  }

  async loadLater(): Promise<void> {
    const { messages, later } = this.state.get();
    const last = messages.at(-1);
    if (this.busy || !later || last === undefined) return;
    await this.load(async () => {
      const page = await this.client.call("history", { conversation: this.conversation, after: last.id, limit: PAGE });
      this.state.update((now) => ({
        ...now,
        ...this.joined(page, [...now.messages, ...page.messages]),
        later: page.later,
      }));
    });
  }

  private async load(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
    }
  }

  private joined(page: HistoryPage, messages: Message[]): Pick<ThreadState, "messages" | "replied"> {
    const known = new Map(messages.map((message) => [message.id, message]));
    const replied = { ...this.state.get().replied };
    for (const message of page.replied) replied[message.id] = message;
    return { messages: [...known.values()], replied };
  }

  // --- what happens ---------------------------------------------------------------------------------------------------

  /** A message that came in or was just sent; where the window ends before the newest, it only says that there is more. */
  append(message: Message): void {
    this.state.update((now) => {
      if (now.messages.some((held) => held.id === message.id)) return now;
      return now.later ? now : { ...now, messages: [...now.messages, message] };
    });
    const answered = message.reply_to;
    if (answered !== null && !this.has(answered) && !(answered in this.state.get().replied)) void this.fetchReplied(answered);
  }

  private async fetchReplied(id: string): Promise<void> {
    try {
      const message = await this.client.call("show", { id });
      this.state.update((now) => ({ ...now, replied: { ...now.replied, [id]: message } }));
    } catch {
      // it is not here: said where it would be shown
    }
  }

  replace(id: string, change: (message: Message) => Message): void {
    this.state.update((now) => {
      const index = now.messages.findIndex((message) => message.id === id);
      const held = now.messages[index];
      if (held === undefined) return now;
      const messages = now.messages.slice();
      messages[index] = change(held);
      return { ...now, messages };
    });
  }

  remove(id: string): void {
    this.state.update((now) => ({ ...now, messages: now.messages.filter((message) => message.id !== id) }));
  }

  has(id: string): boolean {
    return this.state.get().messages.some((message) => message.id === id);
  }

  seen(): void {
    this.state.update((now) => (now.unreadFrom === "" ? now : { ...now, unreadFrom: "" }));
  }
}

function flags(page: HistoryPage): Pick<ThreadState, "earlier" | "later"> {
  return { earlier: page.earlier, later: page.later };
}
