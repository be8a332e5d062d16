// fuzz-links: nvme transport_tcp
// Any bytes as an NVMe/TCP stream: read whole, and read as it grows by one byte at a time, the same
// PDUs must come out, and the same offence at the end. Nothing may be claimed that is not there.
#include "transport/tcp/pdu_reader.hpp"

#include <fulmar/nvme/tcp_pdu.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

namespace {

using namespace fulmar;
using transport::tcp::read_next;
using transport::tcp::read_pdu;
using transport::tcp::reader_rules;
using outcome = read_pdu::outcome;

void require(bool condition) {
    if (!condition) std::abort();
}

struct seen {
    outcome what;
    std::uint8_t type;
    std::size_t at;
    std::size_t bytes;
    std::uint32_t data_bytes;
    bool digest_wrong;
    std::uint16_t error;
    std::uint32_t information;
    bool operator==(const seen&) const = default;
};

/// What a connection does with PDUs, as far as it changes how the next ones are read.
class stream {
  public:
    explicit stream(const reader_rules& rules) : rules_(rules) {}

    /// Takes what it can of `bytes`, which is everything so far; false once the connection ends.
    bool feed(std::span<const std::byte> bytes) {
        while (at_ < bytes.size()) {
            const std::span rest = bytes.subspan(at_);
            if (skip_ != 0) {
                const std::size_t here = std::min(skip_, rest.size());
                skip_ -= here;
                at_ += here;
                continue;
            }
            const read_pdu next = read_next(rest, rules_);
            if (next.what == outcome::more) {
                require(next.bytes > rest.size());
                return true;
            }
            note(next);
            if (next.what == outcome::bad) return false;
            take(next, rest);
        }
        return true;
    }
    [[nodiscard]] const std::vector<seen>& all() const { return all_; }

  private:
    void note(const read_pdu& next) {
        const bool bad = next.what == outcome::bad;
        all_.push_back({.what = next.what,
                        .type = bad ? std::uint8_t{0} : static_cast<std::uint8_t>(next.type),
                        .at = at_,
                        .bytes = next.bytes,
                        .data_bytes = next.data_bytes,
                        .digest_wrong = next.data_digest_wrong,
                        .error = bad ? static_cast<std::uint16_t>(next.error) : std::uint16_t{0},
                        .information = bad ? next.error_information : 0});
    }

    void take(const read_pdu& next, std::span<const std::byte> rest) {
        require(next.bytes != 0 && next.bytes <= rest.size());
        require(next.header.size() >= sizeof(nvme::tcp::common_header));
        require(next.header.data() == rest.data());
        if (!next.data.empty()) {
            require(next.data.data() >= next.header.data() + next.header.size());
            require(next.data.data() + next.data.size() <= rest.data() + next.bytes);
            require(next.data.size() <= rules_.in_capsule_bytes);
        }
        if (next.type == nvme::tcp::pdu_type::ic_req) {
            const auto request = nvme::read_wire<nvme::tcp::ic_req>(next.header);
            require(request.has_value());
            rules_.initialised = true;
            rules_.header_digest = (request->dgst & nvme::tcp::digest_flags::header) != 0;
            rules_.data_digest = (request->dgst & nvme::tcp::digest_flags::data) != 0;
        }
        at_ += next.bytes;
        if (next.type != nvme::tcp::pdu_type::h2c_data) return;
        require(next.data_bytes != 0 && next.data_bytes <= rules_.h2c_data_bytes);
        skip_ = next.data_bytes + (next.has_data_digest ? nvme::tcp::digest_bytes : 0);
    }

    reader_rules rules_;
    std::size_t at_ = 0;
    std::size_t skip_ = 0;
    std::vector<seen> all_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) return 0;
    reader_rules rules;
    rules.initialised = (data[0] & 1) != 0;
    rules.header_digest = (data[0] & 2) != 0;
    rules.data_digest = (data[0] & 4) != 0;
    rules.in_capsule_bytes = data[1] * 64u;
    rules.h2c_data_bytes = 65536;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(2);

    stream whole(rules);
    const bool whole_goes_on = whole.feed(bytes);
    stream growing(rules);
    bool growing_goes_on = true;
    for (std::size_t length = 1; length <= bytes.size() && growing_goes_on; ++length)
        growing_goes_on = growing.feed(bytes.first(length));
    require(whole_goes_on == growing_goes_on);
    require(whole.all() == growing.all());
    return 0;
}
