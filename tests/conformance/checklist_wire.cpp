// The checklist: discovery and TCP (D9), the minimum (D10), what the issue says of bad input and of
// bounds; and the list of all sections.
#include "checklist.hpp"

#include <array>

namespace fulmar::conformance {

namespace {

constexpr std::array discovery_rows{
    row{"D9/entry", "entry: TRTYPE, ADRFAM, SUBTYPE, TREQ, EFLAGS, TSAS", "–", "M"},
    row{"D9/generation", "GENCTR, NUMREC, RECFMT, reading in pieces", "–", "M"},
    row{"D9/filter", "only what the host may use", "–", "M"},
    row{"D9/referral", "referrals", "–", "O"},
    row{"D9/persistent", "persistent controllers hear of changes", "–", "C"},
    row{"D9/wildcard", "a listener on every address tells the one that was used", "–", "M"},
    row{"D9/unique", "a unique discovery NQN beside the well-known one", "–", "O"},
    row{"D9/lsp", "EXTDLPE, PLEO, ALLSUBE", "–", "O", verdict::absent,
        "log page 00h claims none: the bits are ignored"},
};

constexpr std::array tcp_rows{
    row{"T/ic", "ICReq, ICResp: PFV, HPDA, CPDA, MAXR2T, MAXH2CDATA at least 4096", "M", "M"},
    row{"T/split", "any split of the byte stream", "M", "M"},
    row{"T/hdgst", "header digest", "O", "O"},
    row{"T/ddgst", "data digest; a wrong one ends its command alone", "O", "O"},
    row{"T/align", "alignment: HPDA up to 31, CPDA 0", "M", "M"},
    row{"T/r2t", "R2T and H2CData, several outstanding, in pieces", "M", "M"},
    row{"T/success", "SUCCESS flag only without SQ flow control; SQHD", "M", "M"},
    row{"T/term", "term requests with FES and FEI", "M", "M"},
    row{"T/ipv6", "IPv6", "O", "O"},
    row{"T/bytes", "PDU types, HLEN, PDO and PLEN of what is sent", "M", "M"},
};

constexpr std::array minimum_rows{
    row{"D10/IOC", "the mandatory minimum of an I/O controller", "M", "–"},
    row{"D10/DISC", "the mandatory minimum of a discovery controller; nothing else", "–", "M"},
};

constexpr std::array input_rows{
    row{"B/pdu", "malformed PDUs: type, HLEN, PDO, PLEN, flags", "M", "M"},
    row{"B/sequence", "ICReq twice, capsule before ICReq, PDUs of a controller", "M", "M"},
    row{"B/h2cdata", "H2CData: TTAG, CCCID, range, overlap, too much", "M", "M"},
    row{"B/capsule", "in-capsule data too long; more commands than the queue; CID twice", "M", "M"},
    row{"B/sgl", "SGL type, sub-type, length, offset; PRPs; fused", "M", "M"},
    row{"B/connect", "every parameter of Connect", "M", "M"},
    row{"B/others", "other connections do not notice", "M", "M"},
    row{"B/log", "a peer cannot make the log grow", "M", "M"},
};

constexpr std::array bounds_rows{
    row{"E/handshake", "time from accept to Connect", "M", "M"},
    row{"E/connections", "connections per listener, and connections without a Connect", "M", "M"},
    row{"E/stall", "a host that stops reading", "M", "M"},
    row{"E/credit", "64 connections x QD128 x 1 MiB writes through a 64 MiB pool", "M", "–"},
    row{"E/hostile", "peers that promise, owe, trickle or never read, beside hosts that behave",
        "M", "M"},
    row{"E/kato", "keep alive time-out", "M", "C"},
    row{"E/abort", "Abort aborts what waits", "M", "–"},
    row{"E/namespace", "namespaces added, removed, resized while connected", "M", "–"},
    row{"E/visible", "namespaces that only some hosts see", "M", "–"},
    row{"E/status", "docs/status.md: every situation that it lists", "M", "M"},
    row{"E/races", "Connect, Abort, reset, keep alive and operators at the same time", "M", "M"},
    row{"E/crd", "retry delay only for hosts that enabled it", "O", "–"},
};

}  // namespace

std::span<const row> discovery_checklist() { return discovery_rows; }
std::span<const row> tcp_checklist() { return tcp_rows; }
std::span<const row> minimum_checklist() { return minimum_rows; }
std::span<const row> input_checklist() { return input_rows; }
std::span<const row> bounds_checklist() { return bounds_rows; }

std::span<const section> checklist() {
    static const std::array all{
        section{"D1", "Fabrics commands", fabrics_checklist()},
        section{"D2", "Properties", property_checklist()},
        section{"D3", "Admin commands", admin_checklist()},
        section{"D4", "I/O commands", io_checklist()},
        section{"D5", "Log pages", log_checklist()},
        section{"D6", "Identify", identify_checklist()},
        section{"D7", "Features", feature_checklist()},
        section{"D8", "Asynchronous events", event_checklist()},
        section{"D9", "Discovery", discovery_checklist()},
        section{"T", "NVMe/TCP", tcp_checklist()},
        section{"D10", "The minimum", minimum_checklist()},
        section{"B", "Bad input", input_checklist()},
        section{"E", "Bounds and changes", bounds_checklist()},
    };
    return all;
}

}  // namespace fulmar::conformance
