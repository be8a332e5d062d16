// What every conformance case has at hand: a target on 1 or 3 data reactors, hosts that behave, raw
// connections that do not have to, and ways to say what is expected.
#pragma once

#include "rows.hpp"
#include "support/known_keys.hpp"
#include "support/remembered_namespaces.hpp"
#include "support/target_fixture.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/host/discovery.hpp>
#include <fulmar/host/raw_session.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fulmar::nvme {
void PrintTo(const status& s, std::ostream* to);
void PrintTo(const async_event& e, std::ostream* to);
}  // namespace fulmar::nvme

namespace fulmar::conformance {

using bytes = std::vector<std::byte>;
namespace sc = nvme::sc;

inline constexpr std::string_view subsystem_nqn = "nqn.2026-01.io.fulmar:conformance";
inline constexpr std::string_view host_nqn = "nqn.2026-01.io.fulmar:host";
inline constexpr std::string_view other_nqn = "nqn.2026-01.io.fulmar:other-host";
inline constexpr std::uint64_t namespace_bytes = 8u << 20;

/// The value, or the end of the case.
template <typename T>
T must(result<T> r) {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(*r);
}
inline void must(result<void> r) {
    if (!r) throw std::runtime_error(r.error().text());
}

class suite : public ::testing::TestWithParam<int> {
  public:
    static nvme::uuid host_id();

  protected:
    suite();

    /// What the target will be; to be changed before the first use of target().
    /// Devices "a" (512-byte blocks, NSID 1) and "b" (4096, NSID 2), any host, 127.0.0.1.
    testing::target_setup setup;
    test::known_keys keys;               ///< for `setup.keys`; likewise
    test::remembered_namespaces memory;  ///< for `setup.memory`; outlives restart()
    /// The subsystem in `setup`.
    core::subsystem_spec& offered() { return setup.spec.subsystems.front(); }
    [[nodiscard]] int data_reactors() const { return GetParam(); }
    testing::running_target& target();
    void restart();

    // Hosts.
    [[nodiscard]] host::controller_options host_options();
    std::unique_ptr<host::controller> connect() { return connect(host_options()); }
    static std::unique_ptr<host::controller> connect(const host::controller_options& options);
    /// A discovery controller; `keep_alive_ms` 0: not a persistent one.
    std::unique_ptr<host::controller> connect_discovery(std::uint32_t keep_alive_ms = 0);

    // Raw connections.
    host::raw_session raw(const host::ic_req_fields& fields = {});
    [[nodiscard]] host::connect_parameters parameters(std::uint16_t qid = 0);
    /// A raw I/O queue of `c`.
    host::raw_session raw_io(host::controller& c, std::uint16_t qid = 1, std::uint16_t entries = 32,
                             const host::ic_req_fields& fields = {}, bool flow_control = true);
    /// A raw admin queue, connected and enabled; its CNTLID in `cntlid`.
    host::raw_session raw_admin(const host::ic_req_fields& fields = {},
                                std::uint16_t* cntlid = nullptr);

    /// The target still serves somebody else: a fresh host connects, writes and reads.
    void expect_alive();

  private:
    std::unique_ptr<testing::running_target> target_;
};

// --- commands --------------------------------------------------------------------------------

/// Runs on `q`; whatever comes back but a dead connection is an answer.
host::reply run(host::queue& q, const host::command& what);
/// With data from the controller; `got` has its size.
host::reply run_read(host::queue& q, const nvme::sqe& sqe, std::span<std::byte> got);
/// With data to the controller.
host::reply run_write(host::queue& q, const nvme::sqe& sqe, std::span<const std::byte> data,
                      bool in_capsule = true);

[[nodiscard]] nvme::sqe admin_sqe(nvme::admin_opcode opcode, std::uint32_t nsid = 0);
[[nodiscard]] nvme::sqe identify_sqe(std::uint8_t cns, std::uint32_t nsid = 0);
[[nodiscard]] nvme::sqe log_sqe(nvme::get_log_page what, std::uint32_t nsid = nvme::nsid_none);
[[nodiscard]] nvme::sqe feature_sqe(const nvme::get_features& what, std::uint32_t nsid = 0);
[[nodiscard]] nvme::sqe feature_sqe(const nvme::set_features& what, std::uint32_t nsid = 0);
[[nodiscard]] nvme::sqe io_sqe(nvme::io_opcode opcode, const nvme::block_range& range,
                               std::uint32_t nsid = 1);

/// For raw sessions: with CID and a data pointer.
[[nodiscard]] nvme::sqe raw_sqe(nvme::sqe sqe, std::uint16_t cid,
                                nvme::sgl_descriptor pointer = {});
/// Of namespace 1, in blocks of 512; the transport moves the data.
[[nodiscard]] nvme::sqe write_of(std::uint32_t blocks, std::uint16_t cid, std::uint64_t slba = 0);
[[nodiscard]] nvme::sqe read_of(std::uint32_t blocks, std::uint16_t cid, std::uint64_t slba = 0);

host::reply read_blocks(host::queue& q, std::uint64_t slba, std::span<std::byte> into,
                        std::uint32_t nsid = 1, std::uint32_t block_bytes = 512);
host::reply write_blocks(host::queue& q, std::uint64_t slba, std::span<const std::byte> data,
                         std::uint32_t nsid = 1, std::uint32_t block_bytes = 512, bool fua = false);

/// `size` bytes that differ from one place to the next and from one seed to the next.
[[nodiscard]] bytes pattern(std::size_t size, std::uint32_t seed = 1);

/// A log page, or the status that refused it.
template <nvme::wire_type Page>
Page read_log(host::controller& c, nvme::lid page, bool rae = false) {
    const auto got = must(c.get_log(
        {.lid = static_cast<std::uint8_t>(page), .rae = rae, .length_bytes = sizeof(Page)}));
    return nvme::read_wire<Page>(got).value();
}

/// Turns `c` until `count` events have come; those that came.
std::vector<nvme::async_event> await_events(host::controller& c, std::size_t count = 1,
                                            duration within = std::chrono::seconds(5));
/// Turns `c` for a while: no event comes.
void expect_no_event(host::controller& c);

/// Turns `c` until the target has ended it.
[[nodiscard]] bool await_end(host::controller& c, duration within = std::chrono::seconds(10));
[[nodiscard]] bool await_end(host::queue& q, duration within = std::chrono::seconds(10));

}  // namespace fulmar::conformance

/// The whole status: SCT, SC, DNR, CRD.
#define EXPECT_STATUS(got, want) EXPECT_EQ((got).status(), (want))
