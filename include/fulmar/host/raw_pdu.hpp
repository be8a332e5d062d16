// PDUs as bytes: built to be sent as they are, right or deliberately wrong, and looked at as they
// came. For tests of a target; the data path has its own ways.
#pragma once

#include <fulmar/nvme/tcp_pdu.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fulmar::host {

using raw_bytes = std::vector<std::byte>;

/// What ICReq and ICResp agreed on, as far as it changes PDUs.
struct wire_settings {
    bool header_digest = false;
    bool data_digest = false;
    std::uint8_t pda =
        0;  ///< of the receiver: CPDA for what a host sends, HPDA for what it receives
};

struct ic_req_fields {
    std::uint16_t pfv = nvme::tcp::pdu_format_version;
    std::uint8_t hpda = 0;
    std::uint8_t digests = 0;  ///< nvme::tcp::digest_flags
    std::uint32_t maxr2t = 0;  ///< 0-based
};
[[nodiscard]] raw_bytes make_ic_req(const ic_req_fields& fields = {});

/// A command capsule, with `data` in it when there is any. The SQE is sent as it is.
[[nodiscard]] raw_bytes make_capsule(const nvme::sqe& sqe, std::span<const std::byte> data = {},
                                     const wire_settings& w = {});
struct h2c_data_fields {
    std::uint16_t cid = 0;
    std::uint16_t ttag = 0;
    std::uint32_t offset = 0;
    bool last = true;
};
[[nodiscard]] raw_bytes make_h2c_data(const h2c_data_fields& fields,
                                      std::span<const std::byte> data, const wire_settings& w = {});
[[nodiscard]] raw_bytes make_h2c_term_req(nvme::tcp::fatal_error fes, std::uint32_t fei,
                                          std::span<const std::byte> offender = {});

/// Puts `value` over the bytes at `offset`: how a test spoils a PDU. Digests are not made anew.
template <nvme::wire_type T>
void overwrite(raw_bytes& pdu, std::size_t offset, const T& value) {
    (void)nvme::write_wire(std::span(pdu).subspan(offset), value);
}
/// Makes the header digest of a spoiled PDU right again.
void redo_header_digest(raw_bytes& pdu);

/// One PDU that arrived, whole.
class raw_pdu {
  public:
    raw_pdu() = default;
    explicit raw_pdu(raw_bytes bytes) : bytes_(std::move(bytes)) {}

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
    [[nodiscard]] nvme::tcp::common_header common() const noexcept;
    [[nodiscard]] bool is(nvme::tcp::pdu_type type) const noexcept {
        return !bytes_.empty() && common().type == static_cast<std::uint8_t>(type);
    }
    /// The header as `Pdu`, when the PDU is of `type` and long enough.
    template <typename Pdu>
    [[nodiscard]] std::optional<Pdu> as(nvme::tcp::pdu_type type) const noexcept {
        return is(type) ? nvme::read_wire<Pdu>(bytes_) : std::nullopt;
    }
    [[nodiscard]] std::optional<nvme::cqe> response() const noexcept;
    /// The data of a C2HData, without padding and digest.
    [[nodiscard]] std::span<const std::byte> data() const noexcept;
    /// Whether the digests that the flags announce are right; true when there is none.
    [[nodiscard]] bool header_digest_right() const noexcept;
    [[nodiscard]] bool data_digest_right() const noexcept;

  private:
    raw_bytes bytes_;
};

}  // namespace fulmar::host
