import type { ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { FloorChoice } from "./FloorChoice";
import { useRoute } from "./useRoute";
import { Way } from "./Way";
import { Avatar } from "../ui/Avatar";
import { IconButton } from "../ui/controls";
import { Icon } from "../ui/icons";
import { cleanName } from "../ui/text";

/** A person, the way of what is said with them, and what each party on it can see. */
export function RoutePanel({ conversation, onClose, onRelays }: { conversation: Conversation; onClose: () => void; onRelays: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [route, setRoute] = useRoute(conversation);
  const name = cleanName(conversation.name);
  return (
    <aside className="panel" aria-label={t("route.title")}>
      <header className="panel-head">
        <h2>{t("route.title")}</h2>
        <IconButton icon="close" label={t("common.close")} onPress={onClose} />
      </header>
      <div className="panel-who">
        <Avatar id={conversation.id} name={conversation.name} picture={conversation.picture} client={roost.client} size="large" />
        <bdi className="panel-name">{name}</bdi>
        {conversation.own_name !== conversation.name && <bdi className="hint">{cleanName(conversation.own_name)}</bdi>}
        {conversation.status !== "" && <bdi className="hint">{cleanName(conversation.status, 200)}</bdi>}
        <span className={conversation.verified ? "chip good" : "chip"}>
          <Icon name="shield" size={15} /> {t(conversation.verified ? "contact.verified" : "contact.unverified")}
        </span>
      </div>
      {route && (
        <>
          <Way route={route} conversation={conversation} how={t(`network.${route.network}.how`, { name })}>
            {conversation.state === "accepted" && <FloorChoice route={route} name={name} onRoute={setRoute} onRelays={onRelays} />}
          </Way>
          <p className="hint panel-note">{t("route.choose", { name })}</p>
        </>
      )}
    </aside>
  );
}
