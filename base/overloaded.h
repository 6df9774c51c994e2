#pragma once
namespace jsp {

// std::visit(Overloaded{[](A) {…}, [](B) {…}}, variant)
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace jsp
