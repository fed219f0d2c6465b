import type { ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { TimingChoice } from "../people/TravelChoice";
import { useRoute } from "../people/useRoute";
import { Way, wayOf } from "../people/Way";

/** The way of what is written in a group or channel, and who sees what. `host` says what its relay keeps. */
export function HostedWay({ conversation, host }: { conversation: Conversation; host: string }): ReactNode {
  const t = useT();
  const [route, setRoute] = useRoute(conversation);
  if (route === null) return <p className="hint panel-note">{host}</p>;
  return (
    <>
      <Way route={route} conversation={conversation} how={t(`network.${wayOf(route)}.hosted`)}>
        <TimingChoice route={route} onRoute={setRoute} />
      </Way>
      <p className="hint panel-note">{host}</p>
    </>
  );
}
