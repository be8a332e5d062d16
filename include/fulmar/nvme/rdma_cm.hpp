// What NVMe/RDMA hosts and controllers say to each other in the private data of the RDMA connection
// manager. NVMe/RDMA Transport 1.0, section 3.2. Any thread.
// Must never: decide whether a connection is wanted (the transport does).
#pragma once

#include <fulmar/nvme/endian.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fulmar::nvme::rdma {

inline constexpr std::uint16_t record_format = 0;

/// In the connect request. `hsqsize` counts from 0, `hrqsize` from 1.
struct cm_request {
    le16 recfmt;
    le16 qid;
    le16 hrqsize;
    le16 hsqsize;
    le16 cntlid;  // 0 from hosts of the first versions, and for an admin queue
    reserved<22> reserved_10;
};
static_assert(sizeof(cm_request) == 32 && wire_type<cm_request>);
static_assert(offsetof(cm_request, hsqsize) == 6 && offsetof(cm_request, cntlid) == 8);

/// In the answer that accepts.
struct cm_accept {
    le16 recfmt;
    le16 crqsize;  // capsules that the controller has room for
    reserved<28> reserved_4;
};
static_assert(sizeof(cm_accept) == 32 && wire_type<cm_accept>);

/// In the answer that rejects.
struct cm_reject {
    le16 recfmt;
    le16 sts;
};
static_assert(sizeof(cm_reject) == 4 && wire_type<cm_reject>);

enum class reject_reason : std::uint16_t {
    invalid_private_data_length = 1,
    invalid_record_format = 2,
    invalid_qid = 3,
    invalid_hsqsize = 4,
    invalid_hrqsize = 5,
    no_resources = 6,
    invalid_ird = 7,
    invalid_ord = 8,
    invalid_cntlid = 9,
};

[[nodiscard]] constexpr std::string_view to_string(reject_reason reason) noexcept {
    switch (reason) {
        case reject_reason::invalid_private_data_length: return "invalid private data length";
        case reject_reason::invalid_record_format: return "invalid RECFMT";
        case reject_reason::invalid_qid: return "invalid QID";
        case reject_reason::invalid_hsqsize: return "invalid HSQSIZE";
        case reject_reason::invalid_hrqsize: return "invalid HRQSIZE";
        case reject_reason::no_resources: return "no resources";
        case reject_reason::invalid_ird: return "invalid IRD";
        case reject_reason::invalid_ord: return "invalid ORD";
        case reject_reason::invalid_cntlid: return "invalid CNTLID";
    }
    return "an unknown reason";
}

[[nodiscard]] inline cm_reject make_reject(reject_reason reason) noexcept {
    cm_reject r{};
    r.recfmt = record_format;
    r.sts = static_cast<std::uint16_t>(reason);
    return r;
}

}  // namespace fulmar::nvme::rdma
