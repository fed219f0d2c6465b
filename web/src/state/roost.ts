// What the app knows of the profile, kept in step with the agent by its events.

import { createContext, useContext } from "react";
import { ApiError, type Client } from "../api/client";
import type { Carrier } from "../api/direct";
import type { ContactRequest, Conversation, Identity, IntroductionView, Message, RoostEvent, Status } from "../api/types";
import { Groups } from "./groups";
import { Outgoing } from "./outgoing";
import { Preferences } from "./preferences";
import { Latest, Store } from "./store";
import { Thread } from "./thread";
import { notify } from "./toasts";

/** Is the agent there, and are its relays? */
export type Link = "connecting" | "online" | "offline" | "gone";

const TYPING_MS = 6000;
const RETRY_MS = [300, 1000, 3000, 5000];

export interface Transfer {
  done: number;
  total: number;
  incoming: boolean;
}

/** Not yet reached is "connecting"; only what failed, with a reason, is "offline". */
function linkOf(status: Status): Link {
  const relays = status.relays.filter((relay) => !relay.here && !relay.home);
  if (relays.length === 0) return "online"; // there is nothing to be connected to: people are near or not, each for themselves
  if (relays.some((relay) => relay.reachable)) return "online";
  return relays.some((relay) => relay.reason !== "") ? "offline" : "connecting";
}

/** A device that is not linked yet has nothing to show. */
function notLinked(error: unknown): null {
  if (error instanceof ApiError && error.code === "not_linked") return null;
  throw error;
}

export class Roost {
  readonly me = new Store<Identity | null>(null);
  readonly conversations = new Store<ReadonlyMap<string, Conversation>>(new Map());
  readonly requests = new Store<ContactRequest[]>([]);
  readonly introductions = new Store<IntroductionView[]>([]);
  readonly status = new Store<Status | null>(null);
  readonly link = new Store<Link>("connecting");
  /** By conversation: who types, and the timer that ends it. */
  readonly typing = new Store<ReadonlyMap<string, ReadonlyMap<string, number>>>(new Map());
  readonly carriers = new Store<Carrier[]>([]);
  /** Counts how often something of a contact changed by which the way to them may change: a floor, an address, a choice. */
  readonly ways = new Store(0);
  /** Counts how often those who show themselves nearby changed. */
  readonly nearby = new Store(0);
  /** With whom safety numbers are to be compared, since they met where anybody can take any name. */
  readonly compare = new Store<{ id: string; name: string } | null>(null);
  readonly transfers = new Store<ReadonlyMap<string, Transfer>>(new Map());
  readonly pins = new Store<ReadonlyMap<string, Message[]>>(new Map());
  readonly loaded = new Store(false);
  readonly preferences: Preferences;
  readonly outgoing: Outgoing;
  readonly groups: Groups;
  private readonly threads = new Map<string, Thread>();
  private stopEvents: (() => void) | null = null;
  private attempt = 0;
  private refreshing = new Set<string>();
  private readonly latest = new Latest();
  /** Told about messages that came in, for notifications. */
  onMessage: (message: Message) => void = () => undefined;
  /** Told who asks to become a contact. */
  onRequest: (request: ContactRequest) => void = () => undefined;
  /** Told what a person should know of a conversation's keys. */
  onWarning: (code: string, conversation: string) => void = () => undefined;
  /** Told what happened to a group, for what no line between its messages says. */
  onGroup: (change: string, title: string) => void = () => undefined;
  /** The profile was locked, here or elsewhere. */
  onLocked: () => void = () => undefined;

  constructor(readonly client: Client) {
    this.preferences = new Preferences(client);
    this.outgoing = new Outgoing(this);
    this.groups = new Groups(client);
  }

  // --- life -----------------------------------------------------------------------------------------------------------

  start(): () => void {
    this.listen();
    return () => {
      this.stopEvents?.();
      this.stopEvents = null;
    };
  }

  private listen(): void {
    this.stopEvents = this.client.events(
      (event) => this.happened(event),
      () => {
        this.attempt = 0;
        void this.refreshAll();
      },
      () => void this.lost(),
    );
  }

  private async lost(): Promise<void> {
    const pause = RETRY_MS[Math.min(this.attempt++, RETRY_MS.length - 1)] ?? 5000;
    try {
      const host = await this.client.call("profile", {});
      if (host.state === "ending") this.link.set("gone");
      else if (host.state !== "open") {
        this.onLocked();
        return;
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 0) this.link.set("gone");
    }
    if (this.stopEvents !== null) window.setTimeout(() => this.stopEvents !== null && this.listen(), pause);
  }

  async refreshAll(): Promise<void> {
    void this.refreshStatus();
    const [me, linked] = await Promise.all([this.client.call("whoami", {}), this.readList(), this.preferences.load()]);
    this.me.set(me);
    if (!linked) return;
    this.loaded.set(true);
    void this.outgoing.restore().catch(() => undefined);
    for (const thread of this.threads.values()) {
      if (thread.state.get().loaded && !thread.state.get().later) void thread.open();
    }
    void this.refreshRequests();
    void this.refreshCarriers().catch(() => undefined);
    void this.refreshIntroductions().catch(() => undefined);
    void this.groups.refreshRequests().catch(() => undefined);
  }

  /** The pinned messages of a conversation that is shown. */
  async refreshPins(conversation: string): Promise<void> {
    await this.latest.ask(
      `pins ${conversation}`,
      () => this.client.call("pins", { conversation }).catch(() => []),
      (pins) => this.pins.update((held) => new Map(held).set(conversation, pins)),
    );
  }

  async refreshStatus(): Promise<void> {
    try {
      await this.latest.ask("status", () => this.client.call("status", {}), (status) => {
        this.status.set(status);
        this.link.set(linkOf(status));
      });
    } catch {
      // the connection's own end is noticed by the WebSocket
    }
  }

  async refreshRequests(): Promise<void> {
    await this.latest.ask("requests", () => this.client.call("requests", {}), (rows) => this.requests.set(rows));
  }

  async refreshCarriers(): Promise<void> {
    await this.latest.ask("carriers", () => this.client.call("carriers", {}), (rows) => this.carriers.set(rows));
  }

  async refreshIntroductions(): Promise<void> {
    await this.latest.ask("introductions", () => this.client.call("introductions", {}), (rows) => this.introductions.set(rows));
  }

  /** Read the list again, once for however many ask at the same time. */
  refreshConversations(): void {
    if (this.refreshing.has("list")) return;
    this.refreshing.add("list");
    window.setTimeout(() => {
      this.refreshing.delete("list");
      void this.readList().catch(() => undefined);
    }, 60);
  }

  /** False: this device is not linked yet, and has none. */
  private async readList(): Promise<boolean> {
    let linked = true;
    await this.latest.ask("list", () => this.client.call("conversations", {}).catch(notLinked), (list) => {
      linked = list !== null;
      if (list !== null) this.conversations.set(new Map(list.map((row) => [row.id, row])));
    });
    return linked;
  }

  /** A row as it is now; the list is read once more, since it may be on its way as it was before. */
  put(conversation: Conversation): void {
    this.conversations.update((rows) => new Map(rows).set(conversation.id, conversation));
    this.refreshConversations();
  }

  thread(id: string): Thread {
    let thread = this.threads.get(id);
    if (thread === undefined) {
      thread = new Thread(this.client, id);
      this.threads.set(id, thread);
    }
    return thread;
  }

  nameOf(who: string): string {
    return who === "me" ? (this.me.get()?.name ?? "") : (this.conversations.get().get(who)?.name ?? "…");
  }

  /** What somebody is called in a conversation: in groups and channels they need be no contact. */
  nameIn(conversation: string, who: string): string {
    if (who === "me") return this.me.get()?.name ?? "";
    const known = this.groups.member(conversation, who)?.name ?? this.conversations.get().get(who)?.name;
    if (known !== undefined) return known;
    const said = this.threads.get(conversation)?.state.get().messages.findLast((message) => message.from === who);
    return said?.from_name || this.groups.channels.get().get(conversation)?.people.find((row) => row.pseudonym === who)?.name || who.slice(0, 8);
  }

  /** Run something for the person; a failure is shown in words. True: it worked. */
  async attemptTo(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      notify(error instanceof Error ? error.message : String(error), "error");
      return false;
    }
  }

  // --- events -----------------------------------------------------------------------------------------------------------

  private happened(event: RoostEvent): void {
    switch (event.type) {
      case "message":
        this.stopTyping(event.conversation, event.from);
        this.threads.get(event.conversation)?.append(event);
        if (event.from !== "me") this.onMessage(event);
        if (event.invites !== null) void this.groups.refreshRequests().catch(() => undefined);
        this.refreshConversations();
        break;
      case "receipt":
        this.receipt(event.conversation, event.id, event.state, event.read_by);
        break;
      case "reaction":
        this.threads.get(event.conversation)?.replace(event.id, (held) => ({ ...held, reactions: event.reactions }));
        break;
      case "edit":
        this.threads.get(event.conversation)?.replace(event.id, (held) => ({ ...held, text: event.text, spans: event.spans, mentions: event.mentions, edited: true }));
        this.refreshConversations();
        break;
      case "pin":
        this.threads.get(event.conversation)?.replace(event.id, (held) => ({ ...held, pinned: event.pinned }));
        void this.refreshPins(event.conversation);
        break;
      case "delete":
        void this.deleted(event.conversation, event.id, event.from === "");
        break;
      case "typing":
        this.typed(event.conversation, event.from, event.active);
        break;
      case "request":
        this.onRequest(event);
        void this.refreshRequests();
        break;
      case "contact":
        this.ways.update((count) => count + 1);
        this.refreshConversations();
        void this.refreshRequests();
        void this.refreshIntroductions().catch(() => undefined);
        break;
      case "connection":
        void this.refreshStatus();
        break;
      case "near":
        this.refreshConversations();
        void this.refreshCarriers().catch(() => undefined);
        break;
      case "carriers":
        void this.refreshCarriers().catch(() => undefined);
        void this.refreshStatus();
        break;
      case "nearby":
        this.nearby.update((count) => count + 1);
        break;
      case "transfer":
        this.transferred(event.id, event.number, event);
        break;
      case "warning":
        this.onWarning(event.code, event.conversation);
        if (event.code === "foreign_network") this.refreshConversations();
        break;
      case "vote":
        this.threads.get(event.conversation)?.replace(event.id, (held) => ({ ...held, poll: event.poll }));
        break;
      case "group":
        this.groups.happened(event);
        this.noted(event.group, event.id);
        this.onGroup(event.change, event.title);
        break;
      case "channel":
        this.groups.happened(event);
        this.refreshConversations();
        break;
      case "device": // linked, or removed from the account
        void this.refreshAll();
        break;
    }
  }

  private receipt(conversation: string, id: string, state: Message["state"], readBy: number): void {
    const thread = this.threads.get(conversation);
    if (thread?.state.get().loaded && !thread.has(id) && !thread.state.get().later) void this.fetchInto(thread, id);
    thread?.replace(id, (held) => ({ ...held, read_by: Math.max(held.read_by, readBy), state: rank(state) > rank(held.state) ? state : held.state }));
    this.refreshConversations();
    if (state === "sent") void this.refreshStatus();
  }

  /** Something changed in a group; a line between its messages says it where it has an id. */
  private noted(group: string, id: string): void {
    const thread = this.threads.get(group);
    if (id !== "" && thread?.state.get().loaded) {
      void thread.fetch(id).catch(() => undefined);
    }
    this.refreshConversations();
  }

  /** A message of mine that another window or program sent. */
  private async fetchInto(thread: Thread, id: string): Promise<void> {
    try {
      await thread.fetch(id, (message) => !this.outgoing.knows(thread.conversation, message.text, message.id));
    } catch {
      // it is gone again
    }
  }

  /** `gone`: nothing of it is left here; else its place stays. */
  private async deleted(conversation: string, id: string, gone: boolean): Promise<void> {
    const thread = this.threads.get(conversation);
    if (this.pins.get().get(conversation)?.some((message) => message.id === id)) void this.refreshPins(conversation);
    try {
      const message = gone ? null : await this.client.call("show", { id });
      if (message === null) thread?.remove(id);
      else thread?.replace(id, () => message);
    } catch {
      thread?.remove(id);
    }
    this.refreshConversations();
  }

  private typed(conversation: string, who: string, active: boolean): void {
    this.stopTyping(conversation, who);
    if (!active) return;
    const unnamed = this.conversations.get().get(conversation)?.kind === "group" && !this.groups.details.get().has(conversation);
    if (unnamed) void this.groups.load(conversation).catch(() => undefined);
    const timer = window.setTimeout(() => this.stopTyping(conversation, who), TYPING_MS);
    this.typing.update((map) => new Map(map).set(conversation, new Map(map.get(conversation)).set(who, timer)));
  }

  private stopTyping(conversation: string, who: string): void {
    const held = this.typing.get().get(conversation);
    if (held?.has(who) !== true) return;
    window.clearTimeout(held.get(who));
    this.typing.update((map) => {
      const next = new Map(map);
      const left = new Map(held);
      left.delete(who);
      if (left.size > 0) next.set(conversation, left);
      else next.delete(conversation);
      return next;
    });
  }

  private transferred(id: string, number: number, { done, total, incoming }: Transfer): void {
    this.transfers.update((map) => {
      const next = new Map(map);
      if (done >= total) next.delete(`${id}/${number}`);
      else next.set(`${id}/${number}`, { done, total, incoming });
      return next;
    });
    if (done >= total && incoming) this.stored(id, number);
  }

  private stored(id: string, number: number): void {
    for (const thread of this.threads.values()) {
      thread.replace(id, (held) => ({
        ...held,
        attachments: held.attachments.map((file) => (file.number === number ? { ...file, stored: true } : file)),
      }));
    }
  }
}

const RANKS: Message["state"][] = ["queued", "sent", "delivered", "read", "failed"];

function rank(state: Message["state"]): number {
  return RANKS.indexOf(state);
}

export const RoostContext = createContext<Roost | null>(null);

export function useRoost(): Roost {
  const roost = useContext(RoostContext);
  if (roost === null) throw new Error("outside of an open profile");
  return roost;
}
