// The protocol checklist as data, and which test cases prove which row of it. docs/conformance.md
// is rendered from both (report_test.cpp).
#pragma once

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::conformance {

enum class verdict {
    conforms,  ///< implemented, and its cases prove it
    refused,   ///< optional, not implemented: its cases prove that it is refused as it should be
    absent,    ///< does not apply to this target or transport
    open,      ///< should be there, and is not
};

/// One line of the checklist. Requirements: M mandatory, O optional, C conditional, P prohibited,
/// – not applicable; of an I/O and of a discovery controller.
struct row {
    std::string_view id;  ///< "D3/06"
    std::string_view what;
    std::string_view io;
    std::string_view discovery;
    verdict result = verdict::conforms;
    std::string_view note = {};
};

struct section {
    std::string_view id;  ///< "D3"
    std::string_view title;
    std::span<const row> rows;
};

[[nodiscard]] std::span<const section> checklist();

/// Row → the cases that prove it, as "Suite.Case".
using proofs = std::map<std::string, std::vector<std::string>, std::less<>>;
[[nodiscard]] proofs& all_proofs();

/// Says, before main(), that a case proves rows.
struct proves {
    proves(std::string_view one_case, std::initializer_list<std::string_view> rows);
};

}  // namespace fulmar::conformance

/// A case that runs with one data reactor and with several, and proves the rows that it names:
/// CONFORMANCE(D2Properties, CapIsReadOnly, "D2/00") { ... }
#define CONFORMANCE(suite_, case_, ...)                                                    \
    static const ::fulmar::conformance::proves suite_##_##case_##_rows(#suite_ "." #case_, \
                                                                       {__VA_ARGS__});     \
    TEST_P(suite_, case_)

/// Declares a suite of such cases.
#define CONFORMANCE_SUITE(suite_)                                       \
    class suite_ : public ::fulmar::conformance::suite {};              \
    INSTANTIATE_TEST_SUITE_P(reactors, suite_, ::testing::Values(1, 3), \
                             [](const auto& instance) { return std::to_string(instance.param); })
