import { useEffect, useState, type ReactNode } from "react";
import type { Conversation, RouteView } from "../api/types";
import { useT } from "../i18n/i18n";
import { Way } from "../people/Way";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";

/** The way of what is written in a group or channel, and who sees what. `host` says what its relay keeps. */
export function HostedWay({ conversation, host }: { conversation: Conversation; host: string }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const link = useStore(roost.link);
  const [route, setRoute] = useState<RouteView | null>(null);
  useEffect(() => {
    void roost.client.call("route", { conversation: conversation.id }).then(setRoute).catch(() => undefined);
  }, [roost, conversation.id, conversation.network, link]);
  if (route === null || (route.network !== "central" && route.network !== "federated")) return <p className="hint panel-note">{host}</p>;
  return (
    <>
      <Way route={route} conversation={conversation} how={t(`network.${route.network}.hosted`)} />
      <p className="hint panel-note">{host}</p>
    </>
  );
}
