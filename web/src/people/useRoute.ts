import { useEffect, useState } from "react";
import type { Conversation, RouteView } from "../api/types";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";

/** The way of a conversation's messages, asked anew when something of it changed; and how to put another in its place. */
export function useRoute(conversation: Conversation): [RouteView | null, (route: RouteView) => void] {
  const roost = useRoost();
  const link = useStore(roost.link);
  const [route, setRoute] = useState<RouteView | null>(null);
  useEffect(() => {
    void roost.client.call("route", { conversation: conversation.id }).then(setRoute).catch(() => undefined);
  }, [roost, conversation.id, conversation.network, conversation.waiting, conversation.held, conversation.near, link]);
  return [route, setRoute];
}
