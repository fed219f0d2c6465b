// What the app knows of groups and channels beyond their rows in the list: who is in them, what may be done, who asks.

import type { Client } from "../api/client";
import type { ChannelInfo, GroupEvent, GroupInfo, GroupIntroduction, GroupMember, JoinRequest } from "../api/groups";
import { Latest, Store } from "./store";

export interface GroupDetail {
  info: GroupInfo;
  members: GroupMember[];
}

const SOON_MS = 80;

export class Groups {
  readonly details = new Store<ReadonlyMap<string, GroupDetail>>(new Map());
  readonly channels = new Store<ReadonlyMap<string, ChannelInfo>>(new Map());
  readonly requests = new Store<JoinRequest[]>([]);
  readonly introductions = new Store<GroupIntroduction[]>([]);
  /** Changes that were asked for in this window and are waited for: their refusal is said where they were asked. */
  asked = 0;
  private readonly soon = new Map<string, number>();
  private readonly latest = new Latest();

  constructor(private readonly client: Client) {}

  async load(group: string): Promise<void> {
    await this.latest.ask(
      group,
      () => Promise.all([this.client.call("group-info", { group }), this.client.call("group-members", { group })]),
      ([info, members]) => this.details.update((held) => new Map(held).set(group, { info, members })),
    );
  }

  async loadChannel(channel: string): Promise<void> {
    await this.latest.ask(
      channel,
      () => this.client.call("channel-info", { channel }),
      (info) => this.channels.update((held) => new Map(held).set(channel, info)),
    );
  }

  /** Who would come into a group of ours, and into which one would be let. */
  async refreshRequests(): Promise<void> {
    await this.latest.ask(
      "requests",
      () => Promise.all([this.client.call("group-requests", {}), this.client.call("group-introductions", {})]),
      ([requests, introductions]) => {
        this.requests.set(requests);
        this.introductions.set(introductions);
      },
    );
  }

  /** After events: what was looked at is read again, once for however many come together. */
  happened(event: GroupEvent): void {
    if (event.type === "group") {
      if (this.details.get().has(event.group)) this.later(event.group, () => this.load(event.group));
      this.later("requests", () => this.refreshRequests());
    } else if (event.type === "channel" && event.change === "left") {
      this.forget(event.channel);
    } else if (event.type === "channel" && this.channels.get().has(event.channel)) {
      this.later(event.channel, () => this.loadChannel(event.channel));
    }
  }

  /** It goes from this profile: nothing of it is read any more. */
  forget(id: string): void {
    window.clearTimeout(this.soon.get(id));
    const without = <V>(held: ReadonlyMap<string, V>): ReadonlyMap<string, V> => new Map([...held].filter(([key]) => key !== id));
    this.details.update(without);
    this.channels.update(without);
  }

  private later(what: string, work: () => Promise<void>): void {
    window.clearTimeout(this.soon.get(what));
    this.soon.set(what, window.setTimeout(() => void work().catch(() => undefined), SOON_MS));
  }

  member(group: string, account: string): GroupMember | undefined {
    return this.details.get().get(group)?.members.find((row) => (account === "me" ? row.me : row.member === account));
  }
}
