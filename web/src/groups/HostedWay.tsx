import type { ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoute } from "../people/useRoute";
import { Way } from "../people/Way";

/** The way of what is written in a group or channel, and who sees what. `host` says what its relay keeps. */
export function HostedWay({ conversation, host }: { conversation: Conversation; host: string }): ReactNode {
  const t = useT();
  const [route] = useRoute(conversation);
  if (route === null || route.network === "onion") return <p className="hint panel-note">{host}</p>;
  return (
    <>
      <Way route={route} conversation={conversation} how={t(`network.${route.network}.hosted`)} />
      <p className="hint panel-note">{host}</p>
    </>
  );
}
