/**
 * What a node and a server say to each other: JSON over HTTPS, as docs/AGENT.md has it. Plain types, and the text that a
 * node signs.
 *
 *     POST   /v1/registrations/challenge   ChallengeRequest     → Challenge
 *     POST   /v1/registrations             RegistrationRequest  → Registration
 *     PUT    /v1/nodes/ID/beat             Beat                 → BeatReply
 *     DELETE /v1/nodes/ID/registration                          → nothing (204)
 *
 * The last two carry the registration's credential: `Authorization: Bearer …`. What is refused is told as problem+json
 * (RFC 9457) with a `code` of {@linkcode ProblemCode}.
 *
 * @module
 */

/** A node as it describes itself: an entry of nodes.yaml, without what is the operator's to say (`state`, `maintenance`). */
export interface NodeDocument {
  readonly id: string;
  /** One, or one of each family. */
  readonly addresses: readonly string[];
  readonly location: {
    readonly latitude: number;
    readonly longitude: number;
    readonly country?: string;
    readonly subdivision?: string;
  };
  readonly region?: string;
  readonly capacity?: number;
  readonly weight?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly overlay?: readonly string[];
}

/** Asks for a challenge to sign. */
export interface ChallengeRequest {
  readonly node: string;
  /** The public key: 32 octets (RFC 8032), base64. */
  readonly key: string;
}

/** Something to sign. */
export interface Challenge {
  readonly challenge: string;
  /** For so long it holds. */
  readonly expiresMs: number;
}

/** That a node has the private half of its key. */
export interface KeyProof {
  /** As in {@linkcode ChallengeRequest}. */
  readonly key: string;
  readonly challenge: string;
  /** Whom it believes to speak to: the origin of the URL, `https://meridian.example:8443`. */
  readonly server: string;
  /** Ed25519 over {@linkcode signedText}, base64. */
  readonly signature: string;
}

/** By what a node may register: a join token, its key, or both: the key is then pinned to the id. */
export interface Proof extends Partial<KeyProof> {
  readonly joinToken?: string;
}

/** Asks to be a node of the fleet. */
export interface RegistrationRequest {
  readonly node: NodeDocument;
  readonly proof: Proof;
}

/** How long a node may be silent. */
export interface LeaseTold {
  /** A node that nobody has heard for so long is down. */
  readonly seconds: number;
  /** So often it is to be heard. */
  readonly beatSeconds: number;
}

/** A node is registered. */
export interface Registration {
  readonly lease: LeaseTold;
  /** A bearer token, of this node and key alone. */
  readonly credential: string;
  /** How long that holds; with half of it left a node had better register again. */
  readonly credentialSeconds: number;
  /** What was not taken as the node said it, and what looks wrong. */
  readonly notices: readonly string[];
}

/** How busy a node is. */
export interface Load {
  /** Share of all processors that was busy, 0 to 1. */
  readonly cpu: number;
  /** Share of memory that is in use, 0 to 1. */
  readonly memory: number;
  /** Octets a second, received and sent together. */
  readonly network: number;
  /** Established TCP connections. */
  readonly connections: number;
}

/** How far another node is. */
export interface PeerTime {
  readonly node: string;
  /** The least of some round trips, milliseconds. */
  readonly rttMs: number;
}

/** That a node lives. */
export interface Beat {
  readonly load: Load;
  /** Where it is another one than at registration. */
  readonly capacity?: number;
  /** At most {@linkcode PEERS_MAX}. */
  readonly peers?: readonly PeerTime[];
  /** It is about to leave, and wants no new clients. */
  readonly draining?: boolean;
}

/** A node was heard. */
export interface BeatReply {
  /** When its lease ends, milliseconds since 1970 by the server's clock. */
  readonly leaseUntilMs: number;
  /** What counts from this heartbeat on; another one than at registration where the server was told so since. */
  readonly lease: LeaseTold;
  /** URLs of every server that may be spoken to. */
  readonly servers: readonly string[];
  /** Whose round trips are of interest: nodes and where they listen, `HOST:PORT`. */
  readonly peers?: readonly { readonly node: string; readonly address: string }[];
  /**
   * Of a node that drains: for how long answers may still name it; 0 = none does any more. Absent while that is not
   * known.
   */
  readonly drainedInMs?: number;
  /** True when others cannot hear of it just now: another server would do better. */
  readonly isAlone?: boolean;
  /** What an operator should see. */
  readonly notice?: string;
}

/** The most peers of a beat. */
export const PEERS_MAX = 16;

/** Why something was refused. */
export type ProblemCode =
  /** It cannot be understood: `field` says where. */
  | "invalid"
  /** The challenge is not one of this fleet's servers, is of another node or key, is too old, or was used. */
  | "challenge-refused"
  | "signature-refused"
  /** The node is not known, or its key is none that is: a join token is wanted as well. */
  | "join-token-wanted"
  | "join-token-refused"
  /** The id is another's. */
  | "claimed"
  /** The credential is not right, or not any more: register again. */
  | "credential-refused"
  /** There is no such registration: register (again). */
  | "not-registered"
  /** Another request changes the same node: try again. */
  | "conflict"
  /** The store cannot be reached: try again, or elsewhere. */
  | "unavailable";

/** The HTTP status of each. */
export const PROBLEM_STATUS: Readonly<Record<ProblemCode, number>> = {
  "invalid": 422,
  "challenge-refused": 401,
  "signature-refused": 401,
  "join-token-wanted": 403,
  "join-token-refused": 403,
  "claimed": 409,
  "credential-refused": 401,
  "not-registered": 404,
  "conflict": 409,
  "unavailable": 503,
};

/** Says no. The message is for the operator of the node, and tells nothing of others. */
export class RegistryProblem extends Error {
  override readonly name = "RegistryProblem";

  constructor(
    readonly code: ProblemCode,
    message: string,
    /** Where in the request, as a JSON pointer (RFC 6901): `/node/location/latitude`. */
    readonly field?: string,
  ) {
    super(message);
  }

  get status(): number {
    return PROBLEM_STATUS[this.code];
  }
}

/** What a node signs, octet by octet: what this is, then what it is of, so that it means nothing anywhere else. */
export function signedText(challenge: string, node: string, server: string): Uint8Array {
  return new TextEncoder().encode(`meridian node registration 1\n${challenge}\n${node}\n${server}\n`);
}
