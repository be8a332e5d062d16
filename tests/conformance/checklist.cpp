// The checklist, row by row: fabrics commands and properties (D1, D2), admin and I/O commands (D3,
// D4). The other sections are in checklist_pages.cpp and checklist_wire.cpp.
#include "checklist.hpp"

#include <array>

namespace fulmar::conformance {

namespace {

constexpr std::array fabrics_rows{
    row{"D1/00", "Property Set", "M", "M"},
    row{"D1/01", "Connect", "M", "M"},
    row{"D1/04", "Property Get", "M", "M"},
    row{"D1/05", "Authentication Send, Receive", "C", "C", verdict::conforms,
        "DH-HMAC-CHAP for hosts that have a key; no secure channel is made of it. A queue that is "
        "not asked to authenticate answers Command Sequence Error, as discovery controllers do"},
    row{"D1/08", "Disconnect", "O", "O", verdict::conforms,
        "I/O queues only, OFCS bit 0; a discovery controller has none, so there it is refused"},
    row{"D1/C0", "vendor specific", "O", "O", verdict::refused, "none: Invalid Field"},
    row{"D1/status", "status values of Connect (SCT 1: 80h-84h), IATTR and IPO", "M", "M",
        verdict::conforms, "83h and 90h have no occasion: no restart"},
    row{"D1/names", "NQN of up to 223 characters, the well-known discovery NQN", "M", "M"},
    row{"D1/rdma", "RDMA CM reject reasons", "C", "C", verdict::absent,
        "not on TCP; over fake verbs: rdma_private_data and rdma_faults, in the unit tests"},
};

constexpr std::array property_rows{
    row{"D2/00", "CAP", "M", "M"},
    row{"D2/08", "VS", "M", "M"},
    row{"D2/0C", "INTMS, INTMC", "P", "P", verdict::refused, "reserved over fabrics"},
    row{"D2/14", "CC", "M", "M"},
    row{"D2/1C", "CSTS", "M", "M"},
    row{"D2/20", "NSSR", "O", "O", verdict::refused, "CAP.NSSRS is 0: reads zero, no writing"},
    row{"D2/24", "AQA, ASQ, ACQ", "P", "P", verdict::refused, "reserved over fabrics"},
    row{"D2/38", "CMB and boot partition registers", "O", "–", verdict::refused,
        "CAP.CMBS and CAP.BPS are 0"},
    row{"D2/64", "NSSD", "O", "O", verdict::refused, "CAP.NSSS is 0: reads zero, no writing"},
    row{"D2/68", "CRTO", "C", "C", verdict::conforms, "CAP.CRMS says ready with media"},
    row{"D2/E00", "PMR registers", "–", "–", verdict::refused, "CAP.PMRS is 0"},
    row{"D2/size", "a size other than the property's, reserved offsets", "M", "M",
        verdict::conforms, "Invalid Field, and the connection stays"},
    row{"D2/reset", "CC.EN 1 to 0 ends the I/O queues; CSTS.RDY 0 within CAP.TO", "M", "M"},
    row{"D2/shutdown", "CC.SHN leads to CSTS.SHST 2", "M", "M"},
    row{"D2/before", "I/O Connect before CC.EN", "M", "–"},
};

constexpr std::array admin_rows{
    row{"D3/00", "Create and Delete of I/O queues (00h, 01h, 04h, 05h)", "P", "P",
        verdict::refused},
    row{"D3/02", "Get Log Page", "M", "M"},
    row{"D3/06", "Identify", "M", "M"},
    row{"D3/08", "Abort", "M", "O", verdict::conforms, "not on a discovery controller"},
    row{"D3/09", "Set Features", "M", "M"},
    row{"D3/0A", "Get Features", "M", "M"},
    row{"D3/0C", "Asynchronous Event Request", "M", "C"},
    row{"D3/0D", "Namespace Management and Attachment (15h)", "O", "–", verdict::refused,
        "not here: an operator says what storage a namespace stands on; OACS bit 3 is 0"},
    row{"D3/10", "Firmware Commit and Download (11h)", "O", "–", verdict::refused,
        "OACS bit 2 is 0"},
    row{"D3/14", "Device Self-test", "O", "–", verdict::refused, "OACS bit 4 is 0"},
    row{"D3/18", "Keep Alive", "M", "C"},
    row{"D3/19", "Directive Send and Receive (1Ah)", "O", "–", verdict::refused, "OACS bit 5 is 0"},
    row{"D3/1C", "Virtualization Management", "–", "–", verdict::refused},
    row{"D3/1D", "NVMe-MI Send and Receive (1Eh)", "O", "–", verdict::refused,
        "OACS bit 6 is 0; log page 13h lists none"},
    row{"D3/21", "Discovery Information Management, zoning (22h, 25h, 29h)", "–", "O",
        verdict::refused, "not a central discovery controller"},
    row{"D3/24", "Lockdown", "O", "O", verdict::refused, "OACS bit 10 is 0"},
    row{"D3/28", "Exported NVM resource management (28h to 35h)", "O", "O", verdict::refused},
    row{"D3/38", "Cross-Controller Reset (TP8028)", "O", "–", verdict::conforms,
        "answered when everything is over (IRS); numbers as in libnvme, linux-nvme/nvme-cli "
        "e117ee68059f and 03d7322090bf"},
    row{"D3/7C", "Doorbell Buffer Config", "P", "P", verdict::refused},
    row{"D3/7F", "Fabrics", "M", "M"},
    row{"D3/80", "Format NVM", "O", "–", verdict::refused, "OACS bit 1 is 0"},
    row{"D3/81", "Security Send and Receive (82h)", "O", "–", verdict::refused, "OACS bit 0 is 0"},
    row{"D3/84", "Sanitize", "O", "–", verdict::refused, "SANICAP is 0"},
    row{"D3/86", "Get LBA Status", "O", "–", verdict::refused,
        "it tells of blocks that may be unrecoverable, not of holes; OACS bit 9 is 0"},
    row{"D3/opcode", "unknown and vendor opcodes: Invalid Opcode, DNR", "M", "M"},
    row{"D3/nsid", "a namespace that cannot be: Invalid Namespace; FFFFFFFFh", "M", "–"},
    row{"D3/unknown", "unknown CNS, FID: Invalid Field; unknown LID: Invalid Log Page", "M", "M"},
    row{"D3/disabled", "admin commands while CC.EN is 0", "M", "M", verdict::conforms,
        "Command Sequence Error; only fabrics commands pass"},
    row{"D3/sgl", "SGL types and lengths", "M", "M"},
    row{"D3/mdts", "MDTS is enforced", "M", "M"},
    row{"D3/limits", "more AERs than AERL: SCT 1 05h; more Aborts than ACL: SCT 1 03h", "M", "C"},
};

constexpr std::array io_rows{
    row{"D4/00", "Flush", "M", "–"},
    row{"D4/01", "Write", "M", "–"},
    row{"D4/02", "Read", "M", "–"},
    row{"D4/04", "Write Uncorrectable", "O", "–", verdict::conforms,
        "RAM, and drives that have it; a write makes blocks readable again, and deallocation does "
        "not. Invalid Opcode elsewhere: a file keeps no such marks, a null device keeps nothing. "
        "ONCS bit 1 is the controller's and always 1, as for Verify"},
    row{"D4/05", "Compare", "O", "–"},
    row{"D4/08", "Write Zeroes", "O", "–"},
    row{"D4/09", "Dataset Management", "O", "–", verdict::conforms,
        "deallocate; the other attributes are hints without effect"},
    row{"D4/0C", "Verify", "O", "–", verdict::conforms, "Invalid Opcode where a drive has none"},
    row{"D4/0D", "Reservations (0Dh, 0Eh, 11h, 15h)", "C", "–", verdict::conforms,
        "all six types; the report in the extended form only, as fabrics demand"},
    row{"D4/12", "I/O Management Receive and Send (1Dh)", "O", "–", verdict::refused, "no FDP"},
    row{"D4/18", "Cancel", "O", "–", verdict::refused},
    row{"D4/19", "Copy", "O", "–", verdict::conforms,
        "descriptor format 0; MSSRL is 0 and Invalid Opcode the answer where a drive has none"},
    row{"D4/79", "Zone commands (79h, 7Ah, 7Dh)", "C", "–", verdict::refused,
        "the NVM command set alone"},
    row{"D4/kv", "Key-value commands", "C", "–", verdict::absent,
        "another command set with the same opcodes; CNS 1Ch does not offer it"},
    row{"D4/fused", "fused Compare and Write", "C", "–", verdict::conforms,
        "up to 128 KiB each; both in memory, the range locked on every reactor"},
    row{"D4/fua", "FUA, and the volatile write cache feature", "M", "–"},
    row{"D4/range", "LBA range: 80h; a range that wraps", "M", "–"},
    row{"D4/pi", "protection information", "C", "–", verdict::absent,
        "no namespace has any (DPC, MC and DPS are 0); PRINFO is ignored"},
    row{"D4/ready", "namespace not ready: 82h", "M", "–"},
    row{"D4/ana", "path status of ANA states (SCT 3: 01h, 02h, 03h)", "C", "–"},
    row{"D4/path", "60h, 70h", "O", "–", verdict::absent, "the host's own, or of other targets"},
};

}  // namespace

std::span<const row> fabrics_checklist() { return fabrics_rows; }
std::span<const row> property_checklist() { return property_rows; }
std::span<const row> admin_checklist() { return admin_rows; }
std::span<const row> io_checklist() { return io_rows; }

}  // namespace fulmar::conformance
