// The checklist: log pages, Identify, features, events (D5 to D8).
#include "checklist.hpp"

#include <array>

namespace fulmar::conformance {

namespace {

constexpr std::array log_rows{
    row{"D5/00", "Supported Log Pages", "M", "M"},
    row{"D5/01", "Error Information", "M", "O", verdict::conforms, "not on discovery controllers"},
    row{"D5/02", "SMART / Health", "M", "–"},
    row{"D5/03", "Firmware Slot", "M", "–"},
    row{"D5/04", "Changed Namespace List", "C", "–"},
    row{"D5/05", "Commands Supported and Effects", "M", "O", verdict::conforms,
        "not on discovery controllers"},
    row{"D5/06", "self-test, telemetry (07h, 08h), persistent event (0Dh)", "O", "–",
        verdict::refused},
    row{"D5/09", "endurance groups, predictable latency (09h to 0Bh, 0Fh)", "O", "–",
        verdict::refused},
    row{"D5/0C", "Asymmetric Namespace Access", "C", "–"},
    row{"D5/10", "media unit, capacity, lockdown, boot, rotational (10h, 11h, 14h to 16h)", "O",
        "–", verdict::refused},
    row{"D5/12", "Feature Identifiers Supported and Effects", "M", "M"},
    row{"D5/13", "NVMe-MI Commands Supported", "M", "M", verdict::conforms, "none: all zero"},
    row{"D5/1E", "Cross-Controller Reset", "O", "–", verdict::conforms,
        "what is under way; layout as in libnvme, linux-nvme/nvme-cli 03d7322090bf"},
    row{"D5/1F", "Lost Host Communication", "O", "–", verdict::refused,
        "the code of its event is neither in libnvme nor in SPDK"},
    row{"D5/20", "FDP (20h to 23h)", "O", "–", verdict::refused},
    row{"D5/70", "Discovery", "–", "M"},
    row{"D5/71", "host discovery, AVE, pull-model (71h to 73h)", "–", "O", verdict::refused,
        "not a central discovery controller"},
    row{"D5/80", "Reservation Notification", "C", "–"},
    row{"D5/81", "Sanitize", "O", "–", verdict::refused},
    row{"D5/BF", "Changed Zone List", "C", "–", verdict::refused, "no zoned command set"},
    row{"D5/offset", "NUMD, offset, its alignment, beyond the end", "M", "M"},
    row{"D5/rae", "RAE keeps the event masked", "M", "C"},
};

constexpr std::array identify_rows{
    row{"D6/00", "Namespace", "M", "–"},
    row{"D6/01", "Controller", "M", "M"},
    row{"D6/02", "Active NSID list", "M", "–"},
    row{"D6/03", "Namespace identification descriptors", "M", "–"},
    row{"D6/04", "NVM set list", "C", "–", verdict::refused, "CTRATT bit 2 is 0"},
    row{"D6/05", "I/O command set specific namespace", "M", "–"},
    row{"D6/06", "I/O command set specific controller", "M", "–"},
    row{"D6/07", "Active NSID list of a command set", "M", "–"},
    row{"D6/08", "I/O command set independent namespace", "M", "–"},
    row{"D6/09", "namespace for a user data format (09h, 0Ah)", "O", "–", verdict::refused},
    row{"D6/10", "namespace management lists (10h to 13h)", "C", "–", verdict::refused,
        "no namespace management"},
    row{"D6/14", "virtualization (14h, 15h)", "–", "–", verdict::refused},
    row{"D6/16", "granularity, UUID, domain, endurance group lists (16h to 19h)", "C", "–",
        verdict::refused},
    row{"D6/1A", "allocated lists of a command set (1Ah, 1Bh)", "C", "–", verdict::refused},
    row{"D6/1C", "I/O command set combinations", "C", "–"},
    row{"D6/instance", "CIU, CIRN and CCRL (TP8028), CQT (TP4129)", "O", "–", verdict::conforms,
        "offsets as in libnvme, linux-nvme/nvme-cli e117ee68059f"},
    row{"D6/fields", "fields that fabrics demand", "M", "M"},
};

constexpr std::array feature_rows{
    row{"D7/01", "Arbitration", "M", "–"},
    row{"D7/02", "Power Management", "M", "–"},
    row{"D7/04", "Temperature Threshold", "M", "–"},
    row{"D7/05", "Error Recovery", "M", "–", verdict::conforms,
        "per namespace; DULBE cannot be enabled, since NSFEAT bit 2 is 0"},
    row{"D7/06", "Volatile Write Cache", "C", "–"},
    row{"D7/07", "Number of Queues", "M", "–"},
    row{"D7/08", "Interrupt Coalescing, Vector (09h)", "–", "–", verdict::refused,
        "no interrupts over fabrics"},
    row{"D7/0A", "Write Atomicity Normal", "M", "–"},
    row{"D7/0B", "Asynchronous Event Configuration", "M", "M"},
    row{"D7/0F", "Keep Alive Timer", "M", "M"},
    row{"D7/0E", "timestamp, APST, thermal and others (0Ch, 0Eh, 10h to 14h)", "O", "–",
        verdict::refused},
    row{"D7/16", "Host Behavior Support", "O", "–", verdict::conforms, "ACRE has an effect"},
    row{"D7/17", "sanitize, EG event, command set profile, spin-up, FDP (17h to 1Ah, 1Dh, 1Eh)",
        "O", "–", verdict::refused, "19h is mandatory with several command sets only"},
    row{"D7/7D", "metadata, progress marker (7Dh to 80h)", "O", "–", verdict::refused},
    row{"D7/81", "Host Identifier", "M", "–", verdict::conforms, "as Connect brought it; no Set"},
    row{"D7/82", "reservation notification mask, persistence (82h, 83h)", "C", "–"},
    row{"D7/84", "Namespace Write Protection", "O", "–", verdict::conforms,
        "write protect, and until power cycle; not permanent"},
    row{"D7/sel", "Get Features SEL 0 to 3", "M", "M"},
};

constexpr std::array event_rows{
    row{"D8/0", "Error events", "O", "O", verdict::absent,
        "about doorbells, diagnostics and firmware: none of them is here"},
    row{"D8/1", "SMART: temperature, spare, reliability", "M", "–", verdict::conforms,
        "what drives say of themselves; without drives a constant temperature"},
    row{"D8/2.00", "Notice: namespace attribute", "M", "–"},
    row{"D8/2.03", "Notice: ANA change", "C", "–"},
    row{"D8/2.F0", "Notice: discovery log change", "–", "C"},
    row{"D8/2.other", "Notices 01h, 02h, 04h to 06h, EFh, F1h to F3h", "O", "O", verdict::refused,
        "OAES does not claim them; they cannot be enabled"},
    row{"D8/2.F4", "Notices of Cross-Controller Reset and Lost Host Communication (F4h, F5h)", "O",
        "–", verdict::refused,
        "neither in libnvme nor in SPDK as merged; OAES bits 20 and 21 are 0"},
    row{"D8/6", "I/O: reservation log, sanitize", "O", "–", verdict::conforms,
        "reservations; no sanitize"},
    row{"D8/7", "vendor specific", "O", "O", verdict::absent, "none"},
    row{"D8/mask", "one of a kind until its log page is read", "M", "C"},
    row{"D8/enable", "only what feature 0Bh enables; nothing is lost before", "M", "C"},
    row{"D8/limit", "AERL", "M", "C"},
    row{"D8/pause", "not lost, and not aborted, while a subsystem is paused", "M", "–"},
    row{"D8/reset", "aborted on reset", "M", "C"},
};

}  // namespace

std::span<const row> log_checklist() { return log_rows; }
std::span<const row> identify_checklist() { return identify_rows; }
std::span<const row> feature_checklist() { return feature_rows; }
std::span<const row> event_checklist() { return event_rows; }

}  // namespace fulmar::conformance
