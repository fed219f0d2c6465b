import { useEffect, useState } from "react";
import type { Conversation, RouteView } from "../api/types";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";

/** The way of a conversation's messages, asked anew when something of it changed; and how to put another in its place. */
export function useRoute(conversation: Conversation): [RouteView | null, (route: RouteView) => void] {
  const roost = useRoost();
  const link = useStore(roost.link);
  const ways = useStore(roost.ways);
  const [route, setRoute] = useState<RouteView | null>(null);
  useEffect(() => {
    let current = true; // an answer that comes after a newer question was asked is not shown
    void roost.client.call("route", { conversation: conversation.id }).then((route) => current && setRoute(route)).catch(() => undefined);
    return () => {
      current = false;
    };
  }, [roost, conversation.id, conversation.network, conversation.waiting, conversation.held, conversation.near, link, ways]);
  return [route, setRoute];
}
