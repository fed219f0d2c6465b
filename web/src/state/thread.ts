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
  /** How often the person opened the conversation: each time it shows where they stopped, or its end. */
  opening: number;
}

const EMPTY: ThreadState = { messages: [], replied: {}, earlier: false, later: false, loaded: false, unreadFrom: "", opening: 0 };

type Change = (now: ThreadState) => ThreadState;

export class Thread {
  readonly state = new Store<ThreadState>(EMPTY);
  /** The window that is shown, by number: what was asked for an earlier one does not belong into it. */
  private window = 0;
  private growing = -1;
  /** What happened while the agent was asked: an answer may have been written before it. */
  private asking = 0;
  private happened: Change[] = [];

  constructor(
    private readonly client: Client,
    readonly conversation: string,
  ) {}

  /** Where the person comes in: at the first unread message, else at the end. */
  async enter(unread: number, firstUnread: string): Promise<void> {
    const entered = { opening: this.state.get().opening + 1, unreadFrom: firstUnread };
    await this.show(unread > 0 ? { around: firstUnread } : {}, entered);
  }

  /** False: something else has been opened meanwhile. */
  async open(around?: string): Promise<boolean> {
    return (await this.show(around ? { around } : {})) !== null;
  }

  async openAt(time: Date): Promise<string> {
    const page = await this.show({ at: time.toISOString() });
    return page?.messages.find((message) => new Date(message.sent_at) >= time)?.id ?? page?.messages.at(-1)?.id ?? "";
  }

  /** Null: something else has been opened meanwhile. */
  private async show(where: { around?: string; at?: string }, entered: Partial<ThreadState> = {}): Promise<HistoryPage | null> {
    const window = ++this.window;
    const page = await this.ask(
      () => this.client.call("history", { conversation: this.conversation, limit: PAGE, ...where }),
      (page) => {
        if (window !== this.window) return;
        const { opening } = this.state.get();
        this.state.set({ ...EMPTY, ...this.joined(page, page.messages), ...flags(page), loaded: true, opening, ...entered });
      },
    );
    return window === this.window ? page : null;
  }

  async loadEarlier(): Promise<void> {
    const { messages, earlier } = this.state.get();
    const first = messages[0];
    if (!earlier || first === undefined) return;
    await this.grow({ before: first.id }, (page, now) => {
      const all = [...page.messages, ...now.messages];
      const cut = all.length > LONGEST;
      return { ...now, ...this.joined(page, cut ? all.slice(0, LONGEST - PAGE) : all), earlier: page.earlier, later: now.later || cut };
    });
  }

  async loadLater(): Promise<void> {
    const { messages, later } = this.state.get();
    const last = messages.at(-1);
    if (!later || last === undefined) return;
    await this.grow({ after: last.id }, (page, now) => ({ ...now, ...this.joined(page, [...now.messages, ...page.messages]), later: page.later }));
  }

  /** One piece at a time; it is let go when another window has been opened meanwhile. */
  private async grow(where: { before?: string; after?: string }, take: (page: HistoryPage, now: ThreadState) => ThreadState): Promise<void> {
    const { window } = this;
    if (this.growing === window) return;
    this.growing = window;
    try {
      await this.ask(
        () => this.client.call("history", { conversation: this.conversation, limit: PAGE, ...where }),
        (page) => {
          if (window !== this.window) return;
          this.growing = -1; // who sees the new page may ask for the next one at once
          this.state.update((now) => take(page, now));
        },
      );
    } finally {
      if (this.growing === window) this.growing = -1;
    }
  }

  /** Take an answer in; what happened since it was asked for happens to it too. */
  private async ask<T>(question: () => Promise<T>, take: (answer: T) => void): Promise<T> {
    const from = this.happened.length;
    this.asking++;
    try {
      const answer = await question();
      take(answer);
      for (const change of this.happened.slice(from)) this.state.update(change);
      return answer;
    } finally {
      if (--this.asking === 0) this.happened = [];
    }
  }

  private joined(page: HistoryPage, messages: Message[]): Pick<ThreadState, "messages" | "replied"> {
    const known = new Map(messages.map((message) => [message.id, message]));
    const replied = { ...this.state.get().replied };
    for (const message of page.replied) replied[message.id] = message;
    return { messages: [...known.values()], replied };
  }

  // --- what happens ---------------------------------------------------------------------------------------------------

  private change(change: Change): void {
    if (this.asking > 0) this.happened.push(change);
    this.state.update(change);
  }

  /** Get a message that is not in the window, by its id, and append it if it is `wanted` still. */
  async fetch(id: string, wanted: (message: Message) => boolean = () => true): Promise<void> {
    await this.ask(
      () => this.client.call("show", { id }),
      (message) => { if (wanted(message)) this.append(message); },
    );
  }

  /** A message that came in or was just sent; where the window ends before the newest, it only says that there is more. */
  append(message: Message): void {
    this.change((now) => {
      if (now.later || now.messages.some((held) => held.id === message.id)) return now;
      return { ...now, messages: [...now.messages, message] };
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
    this.change((now) => {
      const index = now.messages.findIndex((message) => message.id === id);
      const held = now.messages[index];
      if (held === undefined) return now;
      const messages = now.messages.slice();
      messages[index] = change(held);
      return { ...now, messages };
    });
  }

  remove(id: string): void {
    this.change((now) => ({ ...now, messages: now.messages.filter((message) => message.id !== id) }));
  }

  has(id: string): boolean {
    return this.state.get().messages.some((message) => message.id === id);
  }
}

function flags(page: HistoryPage): Pick<ThreadState, "earlier" | "later"> {
  return { earlier: page.earlier, later: page.later };
}
